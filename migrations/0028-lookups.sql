-- A row is found by its own index, whatever the planner knows of the table. Where it believes that a kind of job, a bank or
-- an import has one row at most, an index on that alone costs it as much as the whole key: each lookup reads them all.
-- So such an index is written that only what lists needs it can use it (kind || '', bank + 0).

drop index job_due;
create index job_due on job ((kind || ''), next_at);

-- As in 0012.
create or replace function claim_jobs_v1(p jsonb)
  returns table (key text, token uuid, attempts integer, crashes integer, detail jsonb, created_at timestamptz)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  with due as (
    select j.kind, j.key from job j
    where j.kind || '' = p->>'kind' and j.next_at <= (p->>'now')::timestamptz
      and (j.lease_until is null or j.lease_until < (p->>'now')::timestamptz)
    order by j.next_at
    limit (p->>'limit')::integer
    for update skip locked
  )
  update job j set
    crashes = j.crashes + (j.lease_until is not null)::integer,
    attempts = j.attempts + 1,
    lease_token = gen_random_uuid(),
    lease_until = (p->>'now')::timestamptz + make_interval(secs => (p->>'leaseSeconds')::double precision)
  from due
  where j.kind = due.kind and j.key = due.key
  returning encode(j.key, 'hex'), j.lease_token, j.attempts, j.crashes, j.detail, j.created_at
$$;

-- Contents are paged through by bank, and looked up by what their list calls them.
drop index bank_content_bank;
create index bank_content_bank on bank_content (bank, id);
drop index bank_content_source;
create unique index bank_content_source on bank_content (source_key, source, bank)
  where source_key is not null and removed_at is null;
drop index bank_content_source_moved;
create index bank_content_source_moved on bank_content (source_key, source, bank)
  where source_key is not null and moved_to is not null;
drop index bank_import_line_key;
create index bank_import_line_key on bank_import_line (key, import);

-- What this bank has by a list's own name for it; what a person moved to another bank counts as there. At most one row.
create function listed_content(p_bank integer, p_source text, p_key text)
  returns table (id integer, moved_to integer, provenance jsonb)
  language sql stable as $$
  (select c.id, c.moved_to, c.provenance from bank_content c
    where c.source_key = p_key and c.source = p_source and c.bank + 0 = p_bank and c.removed_at is null)
  union all
  (select c.id, c.moved_to, null from bank_content c
    where c.source_key = p_key and c.source = p_source and c.bank + 0 = p_bank and c.moved_to is not null)
  limit 1
$$;

-- The bank's contents up to this number were looked for in the list.
alter table bank_import add column gone_through integer not null default 0;

-- As in 0015, by lookups that stay lookups; what the list no longer has is found a page of the bank at a time.
create or replace function compare_import_v1(p jsonb) returns table ("position" integer, compared boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_import bank_import;
  v_limit integer := (p->>'limit')::integer;
  v_through integer;
begin
  select * into v_import from bank_import i where i.id = (p->>'import')::integer for update;
  if v_import.state <> 'staged' or v_import.compared then
    return query select v_import.position, true;
    return;
  end if;
  if v_import.position < v_import.staged then
    update bank_import_line l set op = k.op, content = k.content, refused = coalesce(k.refused, l.refused),
      signals = case when k.op is not null then l.signals end
    from (
      select n.line, c.id as content,
        case
          when n.first < n.line then null
          when c.id is null then 'add'
          when c.moved_to is not null or signals_digest(n.signals) = (
            select signals_digest(jsonb_agg(jsonb_build_object('type', s.type, 'value', encode(s.value, 'hex'))))
            from bank_signal s where s.content = c.id and s.state = 'live'
          ) then 'same'
          else 'add'
        end as op,
        case when n.first < n.line then 'id-twice' end as refused
      from (
        select l.line, l.key, l.signals, (
          select min(e.line) from bank_import_line e where e.key = l.key and e.import + 0 = l.import and e.signals is not null
        ) as first
        from bank_import_line l
        where l.import = v_import.id and l.line > v_import.position and l.line <= v_import.position + v_limit
          and l.signals is not null
      ) n
      left join lateral listed_content(v_import.bank, v_import.source, n.key) c on true
    ) k
    where l.import = v_import.id and l.line = k.line;
    update bank_import i set position = least(v_import.position + v_limit, v_import.staged)
    where i.id = v_import.id returning * into v_import;
    return query select v_import.position, false;
    return;
  end if;
  if v_import.replaces then
    select max(n.id) into v_through from (
      select c.id from bank_content c where c.bank = v_import.bank and c.id > v_import.gone_through order by c.id limit v_limit
    ) n;
  end if;
  if v_through is not null then
    with gone as (
      insert into bank_import_line (import, line, key, op, content)
      select v_import.id, v_import.position + row_number() over (order by c.id), c.source_key, 'delete', c.id
      from bank_content c
      where c.bank = v_import.bank and c.id > v_import.gone_through and c.id <= v_through
        and c.source = v_import.source and c.source_key is not null and c.removed_at is null
        and not exists (
          select from bank_import_line l
          where l.key = c.source_key and l.import + 0 = v_import.id and (l.op is not null or l.refused <> 'harmless')
        )
      returning line
    )
    update bank_import i set position = v_import.position + (select count(*) from gone), gone_through = v_through
    where i.id = v_import.id returning * into v_import;
  else
    update bank_import i set compared = true, adds = n.adds, deletes = n.deletes, unchanged = n.same, refused = n.refused
    from (
      select count(*) filter (where op = 'add') as adds, count(*) filter (where op = 'delete') as deletes,
        count(*) filter (where op = 'same') as same, count(*) filter (where op is null) as refused
      from bank_import_line l where l.import = v_import.id
    ) n
    where i.id = v_import.id returning i.* into v_import;
  end if;
  return query select v_import.position, v_import.compared;
end $$;
