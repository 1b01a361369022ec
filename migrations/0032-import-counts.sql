-- No statement of an import grows with the list or with the bank: what a page of it is, is counted with the page.

-- The bank's contents that this list brought in before.
alter table bank_import add column had integer not null default 0;
-- Of a refused one the lines up to this number are dropped; 2147483647: all.
alter table bank_import add column dropped_through integer not null default 0;

-- What was compared before has not counted them: it is compared once more.
delete from bank_import_line l using bank_import i where i.id = l.import and i.state = 'staged' and l.op = 'delete';
update bank_import set compared = false, position = 0, gone_through = 0, adds = 0, deletes = 0, unchanged = 0, refused = 0
where state = 'staged';

-- As in 0028. The bank is gone through for every list, because decide_import_v1 needs to know how much of it is the list's.
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
