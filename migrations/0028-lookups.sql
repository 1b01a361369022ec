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

-- No statement of an import grows with the list or with the bank: what a page of it is, is counted with the page.
alter table bank_import
  -- The bank's contents up to this number were looked at, and so many of them are this list's.
  add column gone_through integer not null default 0,
  add column had integer not null default 0,
  -- Of a refused one the lines up to this number are dropped; 2147483647: all.
  add column dropped_through integer not null default 0;

-- What was compared before has not counted them: it is compared once more.
delete from bank_import_line l using bank_import i where i.id = l.import and i.state = 'staged' and l.op = 'delete';
update bank_import set compared = false, position = 0, adds = 0, deletes = 0, unchanged = 0, refused = 0
where state = 'staged';

-- As in 0015, by lookups that stay lookups. The bank is gone through for every list: decide_import_v1 needs to know how much
-- of it is the list's.
create or replace function compare_import_v1(p jsonb) returns table ("position" integer, compared boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_import bank_import;
  v_limit integer := (p->>'limit')::integer;
  v_through integer;
  v_had integer;
  v_gone integer;
begin
  select * into v_import from bank_import i where i.id = (p->>'import')::integer for update;
  if v_import.state <> 'staged' or v_import.compared then
    return query select v_import.position, true;
    return;
  end if;
  if v_import.position < v_import.staged then
    -- Line by line and without a join: a plan for one is made for what the planner believes to be in the table, and may read
    -- the whole list for each page. offset 0: each is asked once.
    update bank_import_line l set (op, content, refused, signals) = (
      select k.op, k.content, coalesce(k.refused, l.refused), case when k.op is not null then l.signals end
      from (
        select c.id as content,
          case
            when f.line < l.line then null
            when c.id is null then 'add'
            when c.moved_to is not null or signals_digest(l.signals) = (
              select signals_digest(jsonb_agg(jsonb_build_object('type', s.type, 'value', encode(s.value, 'hex'))))
              from bank_signal s where s.content = c.id and s.state = 'live'
            ) then 'same'
            else 'add'
          end as op,
          case when f.line < l.line then 'id-twice' end as refused
        from (
          select min(e.line) as line from bank_import_line e
          where e.key = l.key and e.import + 0 = l.import and e.signals is not null offset 0
        ) f left join lateral listed_content(v_import.bank, v_import.source, l.key) c on true
        offset 0
      ) k
    )
    where l.import = v_import.id and l.line > v_import.position and l.line <= v_import.position + v_limit
      and l.signals is not null;
    update bank_import i set position = least(v_import.position + v_limit, v_import.staged), adds = i.adds + n.adds,
      unchanged = i.unchanged + n.same, refused = i.refused + n.refused
    from (
      select count(*) filter (where op = 'add') as adds, count(*) filter (where op = 'same') as same,
        count(*) filter (where op is null) as refused
      from bank_import_line l
      where l.import = v_import.id and l.line > v_import.position and l.line <= v_import.position + v_limit
    ) n
    where i.id = v_import.id returning i.* into v_import;
    return query select v_import.position, false;
    return;
  end if;
  with seen as materialized (
    select c.id, c.source_key, c.source = v_import.source and c.source_key is not null and c.removed_at is null as is_listed
    from bank_content c where c.bank = v_import.bank and c.id > v_import.gone_through order by c.id limit v_limit
  ), gone as (
    insert into bank_import_line (import, line, key, op, content)
    select v_import.id, v_import.position + row_number() over (order by s.id), s.source_key, 'delete', s.id
    from seen s
    where v_import.replaces and s.is_listed and not exists (
      select from bank_import_line l
      where l.key = s.source_key and l.import + 0 = v_import.id and (l.op is not null or l.refused <> 'harmless')
    )
    returning line
  )
  select max(s.id), count(*) filter (where s.is_listed), (select count(*) from gone) into v_through, v_had, v_gone from seen s;
  if v_through is null then
    update bank_import i set compared = true where i.id = v_import.id returning * into v_import;
    return query select v_import.position, true;
    return;
  end if;
  update bank_import i set position = i.position + v_gone, deletes = i.deletes + v_gone, had = i.had + v_had, gone_through = v_through
  where i.id = v_import.id returning * into v_import;
  return query select v_import.position, false;
end $$;

-- As in 0015; of what the bank had, compare_import_v1 knows how much it was.
create or replace function decide_import_v1(p jsonb) returns table (state text, proposal integer, "aloneUntil" timestamptz, reasons text[])
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_import bank_import;
  v_admission admission;
  v_bank bank;
  v_proposal proposal;
  v_reasons text[] := '{}';
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_import from bank_import i where i.id = (p->>'import')::integer for update;
  if v_import.state = 'staged' and v_import.compared then
    select * into v_bank from bank b where b.id = v_import.bank;
    select * into v_admission from admission a
    where a.id = (p->>'admission')::integer and a.bank = v_bank.id and a.kind = 'import';
    if not found then
      raise exception 'an import goes on only with its own admission test' using errcode = 'BU001';
    end if;
    if v_admission.verdict <> 'passed' then
      v_reasons := v_reasons || 'accounts'::text;
    end if;
    if exists (select from bank_import i where i.bank = v_bank.id and i.source = v_import.source and i.state = 'done') then
      if v_import.adds::bigint * 100 > v_import.had::bigint * (p->>'addsPercent')::integer then
        v_reasons := v_reasons || 'adds'::text;
      end if;
      if v_import.deletes::bigint * 100 > v_import.had::bigint * (p->>'deletesPercent')::integer then
        v_reasons := v_reasons || 'deletes'::text;
      end if;
    end if;
    update bank_import i set admission = v_admission.id where i.id = v_import.id;
    if v_reasons = '{}' then
      perform start_import(v_import.id, v_principal, v_now);
    else
      v_proposal := propose('import', v_bank, jsonb_build_object('import', v_import.id, 'admission', v_admission.id),
        array_to_string(v_reasons, ', '), v_principal, v_now);
      update bank_import i set state = 'waiting', proposal = v_proposal.id where i.id = v_import.id;
    end if;
  end if;
  return query select i.state, i.proposal, r.alone_until, v_reasons
    from bank_import i left join proposal r on r.id = i.proposal where i.id = v_import.id;
end $$;

-- As in 0015, from where the last call came to: what is deleted stays in the index for as long as anybody may look at it.
-- Without a join: one with what is to go has the plan of an empty table, and reads all for each.
create or replace function drop_import_lines_v1(p jsonb) returns table (dropped integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp set enable_seqscan = off as $$
declare
  v_import bank_import;
  v_limit integer := (p->>'limit')::integer;
  v_to integer;
  v_count integer;
begin
  dropped := 0;
  for v_import in
    select * from bank_import i where i.state = 'refused' and i.dropped_through < 2147483647 order by i.id for update skip locked
  loop
    select max(n.line) into v_to from (
      select l.line from bank_import_line l
      where l.import = v_import.id and l.line > v_import.dropped_through order by l.line limit v_limit - dropped
    ) n;
    delete from bank_import_line l where l.import = v_import.id and l.line > v_import.dropped_through and l.line <= v_to;
    get diagnostics v_count = row_count;
    update bank_import i set dropped_through = coalesce(v_to, 2147483647) where i.id = v_import.id;
    dropped := dropped + v_count;
    exit when dropped >= v_limit;
  end loop;
  return next;
end $$;

-- As in 0015, and what was deleted before is not looked through again: while a backup runs it stays in the index.
-- Brings in the next lines, all or none. p: import, from (position), limit, principal, now. With the last ones the import is
-- done and one pass over stored signals begins.
create or replace function apply_import_v1(p jsonb) returns table (state text, "position" integer, adds integer, deletes integer, same integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_import bank_import;
  v_bank bank;
  v_generation bigint;
  v_to integer;
  v_adds integer := 0;
  v_deletes integer := 0;
  v_same integer := 0;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_import from bank_import i where i.id = (p->>'import')::integer for update;
  if v_import.state <> 'applying' or v_import.position <> (p->>'from')::integer then
    return query select v_import.state, v_import.position, 0, 0, 0;
    return;
  end if;
  select * into v_bank from bank b where b.id = v_import.bank for update;
  select max(n.line) into v_to from (
    select l.line from bank_import_line l
    where l.import = v_import.id and l.line > v_import.position order by l.line limit (p->>'limit')::integer
  ) n;

  if v_to is not null then
    update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
    update bank_content c set removed_at = v_now
    from bank_import_line l
    where l.import = v_import.id and l.line > v_import.position and l.line <= v_to
      and (l.op = 'delete' or (l.op = 'add' and l.content is not null)) and c.id = l.content and c.removed_at is null;
    get diagnostics v_deletes = row_count;
    update bank_signal s set state = 'removed', removed_generation = v_generation
    from bank_import_line l
    where l.import = v_import.id and l.line > v_import.position and l.line <= v_to
      and (l.op = 'delete' or (l.op = 'add' and l.content is not null)) and s.content = l.content and s.state = 'live';

    -- The numbers are drawn first: the signals find their contents without a join, whatever the planner knows of these tables.
    with page as materialized (
      select l.*, nextval(pg_get_serial_sequence('bank_content', 'id'))::integer as id
      from bank_import_line l
      where l.import = v_import.id and l.line > v_import.position and l.line <= v_to and l.op = 'add'
      order by l.line
    ), added as (
      insert into bank_content (id, bank, disable_until_ts, held_at, flood_since, flood_told_at, note, metadata, created_at,
        admission, source, source_key)
      overriding system value
      -- With other signals now it stays disabled, or held by a flood, as it was.
      select g.id, v_bank.id, coalesce(nullif(c.disable_until_ts, 1), g.disable_until_ts), c.held_at, c.flood_since,
        c.flood_told_at, g.note, g.metadata, v_now, v_import.admission, v_import.source, g.key
      from page g left join bank_content c on c.id = g.content
      returning id
    ), signals as (
      insert into bank_signal (content, type, value, quality, added_generation)
      select g.id, s.type, decode(s.value, 'hex'), s.quality, v_generation
      from page g cross join lateral jsonb_to_recordset(g.signals) as s(type text, value text, quality smallint)
    )
    select count(*) into v_adds from added;

    -- What is known already keeps what people did with it; only the list's words about it are brought up to date.
    update bank_content c set note = coalesce(l.note, c.note), metadata = coalesce(l.metadata, c.metadata)
    from bank_import_line l
    where l.import = v_import.id and l.line > v_import.position and l.line <= v_to and l.op = 'same' and c.id = l.content
      and c.removed_at is null
      and ((l.note is not null and l.note is distinct from c.note) or (l.metadata is not null and l.metadata is distinct from c.metadata));
    select count(*) filter (where l.op = 'same') into v_same from bank_import_line l
    where l.import = v_import.id and l.line > v_import.position and l.line <= v_to;

    insert into bank_change (generation, op, bank, principal, at) values (v_generation, 'import', v_bank.id, v_principal, v_now);
    perform note_v1('import.batch', actor(v_principal),
      jsonb_build_object('bank', 'b' || v_bank.id, 'import', v_import.id, 'generation', v_generation, 'through', v_to,
        'added', v_adds, 'removed', v_deletes, 'unchanged', v_same),
      jsonb_build_object('name', v_bank.name, 'source', v_import.source),
      null, null, null, 'bank:' || v_generation, v_now);
    delete from bank_import_line l where l.import = v_import.id and l.line > v_import.position and l.line <= v_to;
    update bank_import i set position = v_to where i.id = v_import.id returning * into v_import;
  end if;
  -- In their order: for any of them the planner would go through the table, past all that came in before.
  if (select l.line from bank_import_line l where l.import = v_import.id and l.line > v_import.position order by l.line limit 1) is null then
    perform end_import(v_import.id, 'done', v_principal, v_now);
    v_import.state := 'done';
  end if;
  return query select v_import.state, v_import.position, v_adds, v_deletes, v_same;
end $$;
