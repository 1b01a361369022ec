-- HMA's banks come in with their numbers, page by page, again and again until HMA is switched off; and can go back.

-- What HMA said about a content when it came in: 8 bytes of its disable_until_ts, then a digest of everything else.
-- Such a content has the source 'hma' and no source_key. null: not from HMA, or gone from it.
alter table bank_content add column hma_state bytea;

-- One run of the import. through: HMA's contents up to this number are done; what is killed goes on there.
create table hma_import (
  id integer generated always as identity primary key,
  -- Of HMA's database, as far as it tells: another one is not imported over this one.
  database text not null,
  version text,
  through integer not null default 0,
  principal integer not null references principal,
  started_at timestamptz not null,
  ended_at timestamptz
);
create unique index hma_import_open on hma_import ((true)) where ended_at is null;

create table hma_import_bank (
  import integer not null references hma_import,
  bank integer not null references bank,
  added integer not null default 0,
  changed integer not null default 0,
  removed integer not null default 0,
  unchanged integer not null default 0,
  primary key (import, bank)
);
create table hma_import_left (
  import integer not null references hma_import,
  reason text not null,
  count integer not null,
  primary key (import, reason)
);

-- name and ratio as HMA had them last: what it changed since is changed here too, what it left alone stays as it is here.
create table hma_bank (
  hma_id integer primary key,
  bank integer not null unique references bank,
  name text not null,
  ratio double precision not null
);
-- What of an exchange has no place of its own here and goes back as it came.
create table hma_exchange (
  hma_id integer primary key,
  name text not null,
  kept jsonb not null
);
-- HMA never compared these with anything; they go back as they came.
create table hma_type_override (
  name text primary key,
  enabled_ratio double precision not null
);

-- Begins a run, or goes on with the one that is open, and brings HMA's banks and exchanges up to date.
-- p: database, version, lastContent, room, mode, principal, now,
--   banks [{id, name, ratio, class, confidential, policy}], signalTypes [{name, ratio}], credentials [{api, sealed}],
--   exchanges [{id, name, bank, api, config, enabled, checkpoint, checkpointTs, fetchedItems, kept}]
-- room: numbers that stay free for what HMA still adds; ours go on behind them.
create function import_hma_begin_v1(p jsonb) returns table (import integer, through integer, resumed boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_import hma_import;
  v_resumed boolean;
  v_one jsonb;
  v_created jsonb := '[]';
  v_sequence text := pg_get_serial_sequence('bank_content', 'id');
  v_next bigint;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_import from hma_import i where i.ended_at is null for update;
  v_resumed := found;
  if not v_resumed then
    insert into hma_import (database, version, principal, started_at)
    values (p->>'database', p->>'version', v_principal, v_now) returning * into v_import;
  end if;

  for v_one in select b from jsonb_array_elements(p->'banks') b order by (b->>'id')::integer loop
    v_created := v_created || import_hma_bank(v_one, p->>'mode', v_principal, v_now);
  end loop;
  insert into hma_type_override select t->>'name', (t->>'ratio')::double precision from jsonb_array_elements(p->'signalTypes') t
  on conflict (name) do update set enabled_ratio = excluded.enabled_ratio;
  insert into exchange_credentials (api, sealed, updated_at)
  select c->>'api', decode(c->>'sealed', 'hex'), v_now from jsonb_array_elements(p->'credentials') c
  on conflict (api) do update set sealed = excluded.sealed, updated_at = excluded.updated_at;
  for v_one in select e from jsonb_array_elements(p->'exchanges') e order by (e->>'id')::integer loop
    perform import_hma_exchange(v_one, v_now);
  end loop;

  -- The sequence does not know of numbers that come in from outside.
  execute format('select last_value from %s', v_sequence) into v_next;
  perform setval(v_sequence, greatest(v_next, (p->>'lastContent')::bigint + (p->>'room')::bigint));
  perform note_v1(case when v_resumed then 'hma.resumed' else 'hma.started' end, actor(v_principal),
    jsonb_build_object('hmaImport', v_import.id, 'through', v_import.through, 'created', v_created,
      'banks', jsonb_array_length(p->'banks'), 'exchanges', jsonb_array_length(p->'exchanges'),
      'credentials', (select coalesce(jsonb_agg(c->>'api'), '[]') from jsonb_array_elements(p->'credentials') c)),
    null, null, null, null, 'hma:' || v_import.id || ':begun:' || gen_random_uuid(), v_now);
  return query select v_import.id, v_import.through, v_resumed;
end $$;

-- One bank of HMA: made, or renamed and set as HMA changed it. Returns ['b1'] where it was made, else [].
create function import_hma_bank(p jsonb, p_mode text, p_principal integer, p_now timestamptz) returns jsonb
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_known hma_bank;
  v_bank bank;
  v_made integer;
  v_generation bigint;
begin
  select * into v_known from hma_bank h where h.hma_id = (p->>'id')::integer;
  if not found then
    if exists (select from bank b where b.name = p->>'name') then
      raise exception 'there is a bank ''%'' here that did not come from HMA: rename it in HMA, or choose', p->>'name'
        using errcode = 'BU001';
    end if;
    select c.bank into v_made from change_bank_v1(jsonb_build_object('op', 'bank.create', 'name', p->'name', 'mode', p_mode,
      'class', p->'class', 'confidential', p->'confidential', 'policy', p->'policy', 'principal', p_principal, 'now', p_now)) c;
    insert into hma_bank values ((p->>'id')::integer, v_made, p->>'name', (p->>'ratio')::double precision);
    return jsonb_build_array('b' || v_made);
  end if;
  select * into v_bank from bank b where b.id = v_known.bank for update;
  if v_known.name <> p->>'name' and v_bank.name <> p->>'name' then
    if exists (select from bank b where b.name = p->>'name') then
      raise exception 'HMA has a bank by the name of ''%'', and so have we: they are not the same', p->>'name' using errcode = 'BU001';
    end if;
    update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
    update bank b set name = p->>'name' where b.id = v_bank.id;
    insert into bank_change (generation, op, bank, principal, at) values (v_generation, 'bank.set', v_bank.id, p_principal, p_now);
    perform note_v1('bank.set', actor(p_principal),
      jsonb_build_object('bank', 'b' || v_bank.id, 'generation', v_generation, 'renamed', true),
      jsonb_build_object('name', p->>'name', 'before', v_bank.name), null, null, null, 'bank:' || v_generation, p_now);
    v_bank.name := p->>'name';
  end if;
  if v_known.ratio <> (p->>'ratio')::double precision then
    perform change_bank_v1(jsonb_build_object('op', 'bank.set', 'name', v_bank.name,
      'policy', v_bank.policy || jsonb_build_object('ratio', p#>'{policy,ratio}'), 'principal', p_principal, 'now', p_now));
  end if;
  update hma_bank h set name = p->>'name', ratio = (p->>'ratio')::double precision where h.hma_id = v_known.hma_id;
  return '[]';
end $$;

-- An exchange of HMA. It rests here until it is told to fetch: two that fetch into one bank would do it twice.
create function import_hma_exchange(p jsonb, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_bank integer := (select h.bank from hma_bank h where h.hma_id = (p->>'bank')::integer);
  -- With its bank it may have got another name here.
  v_name text := coalesce((select h.name from hma_exchange h where h.hma_id = (p->>'id')::integer), p->>'name');
begin
  if exists (select from exchange e where e.name = v_name and e.bank <> v_bank)
    or exists (select from exchange e where e.name <> v_name and e.bank = v_bank)
  then
    raise exception 'there is an exchange ''%'' here that did not come from HMA', v_name using errcode = 'BU001';
  end if;
  -- One that fetches here has a place of its own by now, and HMA's is behind it.
  insert into exchange (name, bank, api, config, enabled, checkpoint, checkpoint_at, fetched_items, created_at)
  values (v_name, v_bank, p->>'api', p->'config', (p->>'enabled')::boolean, nullif(p->'checkpoint', 'null'),
    to_timestamp((p->>'checkpointTs')::double precision), (p->>'fetchedItems')::bigint, p_now)
  on conflict (name) do update set api = excluded.api, config = excluded.config, enabled = excluded.enabled,
    checkpoint = excluded.checkpoint, checkpoint_at = excluded.checkpoint_at, fetched_items = excluded.fetched_items
  where not exchange.enabled;
  update bank b set exchange = v_name where b.id = v_bank and b.exchange is distinct from v_name;
  insert into hma_exchange values ((p->>'id')::integer, v_name, p->'kept')
  on conflict (hma_id) do update set kept = excluded.kept;
end $$;

-- Takes over what HMA says about its contents from one number to another, all or nothing; said again it does nothing.
-- p: import, from, to, banks [ours that change], gone [contents], changes (some rows are here already), same [{bank, count}], left [{reason, count}], principal, now.
-- p_rows: [{i id, b bank, k true where it is there already, t, n note, m metadata, p provenance, a created, d state,
--   h pdq, v md5, x sha256, l clip}]. A bank has a generation of its own.
create function import_hma_page_v1(p jsonb, p_rows text) returns table (through integer, applied boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_from integer := (p->>'from')::integer;
  v_to integer := (p->>'to')::integer;
  v_banks integer[] := array(select b::integer from jsonb_array_elements_text(p->'banks') b);
  v_gone integer[] := array(select g::integer from jsonb_array_elements_text(p->'gone') g);
  v_rows json := p_rows::json;
  v_import hma_import;
  v_base bigint;
  v_done jsonb[] := '{}';
  v_counts record;
begin
  if v_banks <> '{}' then
    perform pg_advisory_xact_lock(bank_lock_key());
  end if;
  select * into v_import from hma_import i where i.id = (p->>'import')::integer for update;
  if v_import.ended_at is not null or v_import.through <> v_from then
    return query select v_import.through, false;
    return;
  end if;
  if exists (
    select from bank_content c where c.id > v_from and c.id <= v_to and (c.source is distinct from 'hma' or c.source_key is not null)
  ) and exists (
    select from bank_content c
    where c.id = any (array(select (r->>'i')::integer from json_array_elements(v_rows) r))
      and (c.source is distinct from 'hma' or c.source_key is not null)
  ) then
    raise exception 'between % and % HMA has contents whose numbers are taken here', v_from, v_to using errcode = 'BU001';
  end if;

  if v_banks <> '{}' then
    update bank_head h set generation = h.generation + cardinality(v_banks)
    returning h.generation - cardinality(v_banks) into v_base;
    if v_gone <> '{}' then
      update bank_signal s set state = 'removed', removed_generation = v_base + array_position(v_banks, c.bank)
      from bank_content c
      where c.id = any (v_gone) and c.id > v_from and c.id <= v_to and c.removed_at is null and s.content = c.id and s.state = 'live';
      with gone as (
        update bank_content c set removed_at = v_now, hma_state = null
        where c.id = any (v_gone) and c.id > v_from and c.id <= v_to and c.removed_at is null
        returning c.bank
      )
      select v_done || coalesce(array_agg(jsonb_build_object('b', n.bank, 'removed', n.count)), '{}') into v_done
      from (select g.bank, count(*) as count from gone g group by g.bank) n;
    end if;
    if (p->>'changes')::boolean then
      v_done := v_done || import_hma_changed(v_rows, v_banks, v_base);
    end if;
    v_done := v_done || import_hma_added(v_rows, v_banks, v_base);

    insert into bank_change (generation, op, bank, principal, at)
    select v_base + n, 'import', b, v_principal, v_now from unnest(v_banks) with ordinality as x(b, n);
    for v_counts in
      select b, v_base + n as generation,
        coalesce(sum((d->>'added')::integer), 0) as added, coalesce(sum((d->>'changed')::integer), 0) as changed,
        coalesce(sum((d->>'removed')::integer), 0) as removed
      from unnest(v_banks) with ordinality as x(b, n) left join unnest(v_done) d on (d->>'b')::integer = b
      group by b, n order by n
    loop
      insert into hma_import_bank values (v_import.id, v_counts.b, v_counts.added, v_counts.changed, v_counts.removed)
      on conflict (import, bank) do update set added = hma_import_bank.added + excluded.added,
        changed = hma_import_bank.changed + excluded.changed, removed = hma_import_bank.removed + excluded.removed;
      perform note_v1('import.batch', actor(v_principal),
        jsonb_build_object('bank', 'b' || v_counts.b, 'hmaImport', v_import.id, 'generation', v_counts.generation,
          'through', v_to, 'added', v_counts.added, 'changed', v_counts.changed, 'removed', v_counts.removed),
        (select jsonb_build_object('name', b.name) from bank b where b.id = v_counts.b),
        null, null, null, 'bank:' || v_counts.generation, v_now);
    end loop;
  end if;

  insert into hma_import_bank (import, bank, unchanged)
  select v_import.id, (s->>'bank')::integer, (s->>'count')::integer from jsonb_array_elements(p->'same') s
  on conflict (import, bank) do update set unchanged = hma_import_bank.unchanged + excluded.unchanged;
  insert into hma_import_left select v_import.id, l->>'reason', (l->>'count')::integer from jsonb_array_elements(p->'left') l
  on conflict (import, reason) do update set count = hma_import_left.count + excluded.count;
  update hma_import i set through = v_to where i.id = v_import.id;
  return query select v_to, true;
end $$;

-- Each of these gives how many of which bank: [{b, added}].
create function import_hma_added(p_rows json, p_banks integer[], p_base bigint) returns jsonb[]
  language sql set search_path = blobwatch, pg_temp as $$
  with page as materialized (
    select r.*, p_base + array_position(p_banks, r.b) as g
    from json_to_recordset(p_rows) as r(i integer, b integer, k boolean, t bigint, n text, m jsonb, p jsonb, a timestamptz,
      d text, h text, v text, x text, l text)
    where r.k is null
  ), added as (
    insert into bank_content (id, bank, disable_until_ts, note, metadata, provenance, created_at, source, hma_state)
    overriding system value
    select i, b, t, n, m, p, a, 'hma', decode(d, 'hex') from page
    returning bank
  ), signals as (
    insert into bank_signal (content, type, value, added_generation)
    select i, s.type, decode(s.value, 'hex'), g
    from page cross join lateral (values ('pdq', h), ('md5', v), ('sha256', x), ('clip', l)) as s(type, value)
    where s.value is not null
  )
  select coalesce(array_agg(jsonb_build_object('b', n.bank, 'added', n.count)), '{}')
  from (select a.bank, count(*) as count from added a group by a.bank) n
$$;

create function import_hma_changed(p_rows json, p_banks integer[], p_base bigint) returns jsonb[]
  language sql set search_path = blobwatch, pg_temp as $$
  with page as materialized (
    select r.i, r.b, r.t, r.n, r.m, r.p, decode(r.d, 'hex') as d, p_base + array_position(p_banks, r.b) as g,
      (select coalesce(jsonb_object_agg(s.type, s.value), '{}')
        from (values ('pdq', r.h), ('md5', r.v), ('sha256', r.x), ('clip', r.l)) as s(type, value) where s.value is not null) as signals
    from json_to_recordset(p_rows) as r(i integer, b integer, k boolean, t bigint, n text, m jsonb, p jsonb, d text, h text,
      v text, x text, l text)
    where r.k
  ), dropped as (
    update bank_signal s set state = 'removed', removed_generation = g.g
    from page g
    where s.content = g.i and s.state = 'live' and g.signals->>s.type is distinct from encode(s.value, 'hex')
  ), signals as (
    insert into bank_signal (content, type, value, added_generation)
    select g.i, s.key, decode(s.value, 'hex'), g.g
    from page g cross join lateral jsonb_each_text(g.signals) s
    where not exists (
      select from bank_signal o where o.content = g.i and o.state = 'live' and o.type = s.key and encode(o.value, 'hex') = s.value
    )
  ), changed as (
    -- Only what HMA changed: the first 8 bytes of the state are its disable_until_ts.
    update bank_content c set removed_at = null, hma_state = g.d,
      disable_until_ts = case when substring(c.hma_state for 8) = substring(g.d for 8) then c.disable_until_ts else g.t end,
      note = case when substring(c.hma_state from 9) = substring(g.d from 9) then c.note else g.n end,
      metadata = case when substring(c.hma_state from 9) = substring(g.d from 9) then c.metadata else g.m end,
      provenance = case when substring(c.hma_state from 9) = substring(g.d from 9) then c.provenance else g.p end
    from page g where c.id = g.i
    returning c.bank
  )
  select coalesce(array_agg(jsonb_build_object('b', n.bank, 'changed', n.count)), '{}')
  from (select a.bank, count(*) as count from changed a group by a.bank) n
$$;

-- The run is over; said again it is an answer only. p: import, lookBack, principal, now. One pass over stored signals, about
-- all banks that gained something and do more than observe; lookBack: about those that observe as well.
create function import_hma_end_v1(p jsonb) returns table (looks_back boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_import hma_import;
  v_pass jsonb;
  v_generation bigint;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_import from hma_import i where i.id = (p->>'import')::integer for update;
  if v_import.ended_at is not null then
    return query select false;
    return;
  end if;
  v_pass := pass_of_banks(coalesce((
    select jsonb_agg(n.bank order by n.bank) from hma_import_bank n join bank b on b.id = n.bank
    where n.import = v_import.id and n.added + n.changed > 0 and (b.mode <> 'observe' or (p->>'lookBack')::boolean)
  ), '[]'));
  if v_pass is not null then
    -- A pass has its generation alone.
    update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
    insert into bank_change (generation, op, bank, principal, at)
    values (v_generation, 'import', coalesce(v_pass->>'bank', v_pass#>>'{banks,0}')::integer, v_principal, v_now);
    perform start_pass(v_generation, v_pass, v_now);
  end if;
  update hma_import i set ended_at = v_now where i.id = v_import.id;
  perform note_v1('hma.done', actor(v_principal),
    jsonb_build_object('hmaImport', v_import.id, 'lookBack', v_pass is not null, 'banks', (
      -- What changed least is left out where an entry cannot name them all; each has its import.batch entries.
      select coalesce(jsonb_agg(jsonb_build_object('bank', 'b' || n.bank, 'added', n.added, 'changed', n.changed,
        'removed', n.removed, 'unchanged', n.unchanged)), '[]')
      from (
        select * from hma_import_bank n where n.import = v_import.id order by n.added + n.changed + n.removed desc, n.bank limit 400
      ) n
    ), 'left', (
      select coalesce(jsonb_object_agg(l.reason, l.count), '{}') from hma_import_left l where l.import = v_import.id
    )),
    null, null, null, null, 'hma:' || v_import.id || ':ended', v_now);
  return query select v_pass is not null;
end $$;

-- The banks leave for an HMA. p: idem, banks [{bank, contents}], confidential, reason, principal, now. Noted before a value is read.
create function note_hma_export_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  if not (p->>'confidential')::boolean and exists (
    select from jsonb_array_elements(p->'banks') x join bank b on b.id = (x->>'bank')::integer where b.confidential
  ) then
    raise exception 'a confidential bank leaves only when that was asked for, with a reason' using errcode = 'BU001';
  end if;
  perform note_v1('hma.export', actor((p->>'principal')::integer),
    jsonb_build_object('confidential', p->'confidential', 'banks', (
      select coalesce(jsonb_agg(jsonb_build_object('bank', 'b' || (x->>'bank'), 'contents', x->'contents')), '[]')
      from jsonb_array_elements(p->'banks') x)),
    jsonb_strip_nulls(jsonb_build_object('reason', p->>'reason')), null, null, null, p->>'idem', (p->>'now')::timestamptz);
  return query select 'noted';
end $$;
