-- Exchanges are fetched: one at a time has the lease, a page is taken over in one step, and the checkpoint moves in it.

alter table exchange
  -- Pages taken over: the number of the checkpoint, which is another one whenever the checkpoint may be. A page comes in only
  -- behind the number that it was asked with.
  add column pages bigint not null default 0,
  -- Fetched at once, by whoever comes first: it is new, or somebody said so.
  add column asked boolean not null default true,
  add column next_fetch_at timestamptz,
  add column lease_token uuid,
  add column lease_until timestamptz,
  -- In a row.
  add column failures integer not null default 0,
  add column fetch_reason text,
  add column succeeded_at timestamptz,
  -- Updates and signals that stayed out, by reason, since the beginning.
  add column left_out jsonb not null default '{}',
  -- What the programme took back in a day; more than a person would expect is held back.
  add column deletions_since timestamptz,
  add column deletions integer not null default 0,
  add column allow_deletions boolean not null default false,
  -- Something came in that is not compared yet with what was seen before.
  add column look_back boolean not null default false;

-- An item that came with an import from HMA is known by HMA's record, until its signals change.
create index bank_content_hma_record on bank_content ((provenance#>>'{hma,fetchId}'), bank) where source = 'hma';

-- What an update is to the bank.
create type exchange_op as (key text, signals jsonb, tags jsonb, content integer, op text);

-- p_rows: [{k id, s signals (missing: the item goes), t tags}], each id once. op: add, replace, words (tags alone are others),
-- same, remove or none.
-- What a person moved to another bank stays there.
create function exchange_ops(p_bank integer, p_rows json) returns setof exchange_op
  language sql stable set search_path = blobwatch, pg_temp
-- A bank grows by pages in one session: what was planned for an empty table would compare each with each.
set plan_cache_mode = force_custom_plan as $$
  select r.k, r.s, r.t, c.id,
    case
      when r.s is null then case when c.id is not null and c.moved_to is null then 'remove' else 'none' end
      when c.id is null then 'add'
      when c.moved_to is not null or signals_digest(r.s) = (
        select signals_digest(jsonb_agg(jsonb_build_object('type', s.type, 'value', encode(s.value, 'hex'))))
        from bank_signal s where s.content = c.id and s.state = 'live'
      ) then case when c.tags is distinct from r.t and c.moved_to is null then 'words' else 'same' end
      else 'replace'
    end
  from json_to_recordset(p_rows) as r(k text, s jsonb, t jsonb)
  left join lateral (
    (select x.id, x.moved_to, x.provenance->'tags' as tags from listed_content(p_bank, 'exchange', r.k) x)
    union all
    -- HMA's words stay as they came.
    (select x.id, x.moved_to, r.t from bank_content x where x.bank + 0 = p_bank and x.source = 'hma'
      and x.provenance#>>'{hma,fetchId}' = r.k and (x.removed_at is null or x.moved_to is not null))
    limit 1
  ) c on true
$$;

-- Takes exchanges whose time has come; nobody else has them until they end or the lease is over.
-- p: apis [names], limit, leaseSeconds, now.
create function claim_exchanges_v1(p jsonb) returns table (bank integer, token uuid, api text, config jsonb, checkpoint jsonb,
    pages bigint, failures integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
begin
  return query
    update exchange e set lease_token = gen_random_uuid(), asked = false, fetch_started_at = v_now,
      lease_until = v_now + make_interval(secs => (p->>'leaseSeconds')::double precision)
    from (
      select x.bank from exchange x
      where x.enabled and p->'apis' ? x.api and (x.asked or coalesce(x.next_fetch_at, '-infinity') <= v_now)
        and (x.lease_until is null or x.lease_until <= v_now)
      order by x.asked desc, x.next_fetch_at limit (p->>'limit')::integer for update skip locked
    ) due
    where e.bank = due.bank
    returning e.bank, e.lease_token, e.api, e.config, e.checkpoint, e.pages, e.failures;
end $$;

-- Takes one page over, all or nothing. p: bank, token and pages as they were claimed or told last, checkpoint, more,
-- askedAt, result and left (counts only), deletionsMin, deletionsPercent, leaseSeconds, principal, now.
-- p_rows: see exchange_ops. outcome: applied; lost (of a lease that is over, or told twice: nothing changed); held (it would
-- take too much away: nothing changed).
create function apply_exchange_v1(p jsonb, p_rows text) returns table (outcome text, pages bigint, added integer, removed integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_more boolean := (p->>'more')::boolean;
  v_exchange exchange;
  v_ops exchange_op[];
  v_added integer;
  v_replaced integer;
  v_removed integer;
  v_same integer;
  v_deletions integer;
  v_live integer;
  v_generation bigint;
  v_admission integer;
begin
  if p_rows <> '[]' then
    perform pg_advisory_xact_lock(bank_lock_key());
  end if;
  select * into v_exchange from exchange e where e.bank = (p->>'bank')::integer for update;
  if not found or v_exchange.lease_token is distinct from (p->>'token')::uuid or v_exchange.pages <> (p->>'pages')::bigint then
    return query select 'lost', coalesce(v_exchange.pages, 0), 0, 0;
    return;
  end if;
  v_ops := array(select o from exchange_ops(v_exchange.bank, p_rows::json) o);
  select count(*) filter (where o.op = 'add'), count(*) filter (where o.op = 'replace'),
    count(*) filter (where o.op = 'remove'), count(*) filter (where o.op in ('same', 'words'))
  into v_added, v_replaced, v_removed, v_same from unnest(v_ops) o;

  if v_removed > 0 and (v_exchange.deletions_since is null or v_exchange.deletions_since <= v_now - interval '24 hours') then
    v_exchange.deletions_since := v_now;
    v_exchange.deletions := 0;
  end if;
  v_deletions := v_exchange.deletions + v_removed;
  if v_removed > 0 and not v_exchange.allow_deletions and v_deletions > (p->>'deletionsMin')::integer then
    select count(*) into v_live from bank_content c where c.bank = v_exchange.bank and c.removed_at is null;
    if v_deletions::bigint * 100 > (p->>'deletionsPercent')::bigint * (v_live + v_exchange.deletions) then
      return query select 'held', v_exchange.pages, 0, 0;
      return;
    end if;
  end if;

  if v_added + v_replaced + v_removed > 0 then
    update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
    insert into bank_change (generation, op, bank, principal, at)
    values (v_generation, 'import', v_exchange.bank, v_principal, v_now);
  end if;
  if v_replaced + v_removed > 0 then
    update bank_content c set removed_at = v_now
    from unnest(v_ops) o where o.op in ('replace', 'remove') and c.id = o.content;
    update bank_signal s set state = 'removed', removed_generation = v_generation
    from unnest(v_ops) o where o.op in ('replace', 'remove') and s.content = o.content and s.state = 'live';
  end if;
  if v_added + v_replaced > 0 then
    insert into admission (bank, kind, at, principal, verdict, result)
    values (v_exchange.bank, 'import', v_now, v_principal, 'passed',
      p->'result' || jsonb_build_object('contents', v_added + v_replaced))
    returning id into v_admission;
    -- The numbers are drawn first: the signals find their contents without a join.
    with page as materialized (
      select o.*, nextval(pg_get_serial_sequence('bank_content', 'id'))::integer as id
      from unnest(v_ops) o where o.op in ('add', 'replace')
    ), contents as (
      insert into bank_content (id, bank, disable_until_ts, held_at, flood_since, flood_told_at, provenance, created_at,
        admission, source, source_key)
      overriding system value
      -- With other signals now it stays disabled, or held by a flood, as it was.
      select g.id, v_exchange.bank, coalesce(c.disable_until_ts, 1), c.held_at, c.flood_since, c.flood_told_at,
        exchange_provenance(v_exchange.name, g.key, g.tags), v_now, v_admission, 'exchange', g.key
      from page g left join bank_content c on c.id = g.content
    )
    insert into bank_signal (content, type, value, added_generation)
    select g.id, s.type, decode(s.value, 'hex'), v_generation
    from page g cross join lateral jsonb_to_recordset(g.signals) as s(type text, value text);
  end if;
  if v_same > 0 then
    update bank_content c set provenance = exchange_provenance(v_exchange.name, o.key, o.tags)
    from unnest(v_ops) o where o.op = 'words' and c.id = o.content;
  end if;

  update exchange e set pages = e.pages + 1, checkpoint = nullif(p->'checkpoint', 'null'), up_to_date = not v_more,
    checkpoint_at = case when v_more then e.checkpoint_at else (p->>'askedAt')::timestamptz end,
    fetched_items = greatest(0, e.fetched_items + v_added - v_removed),
    deletions_since = v_exchange.deletions_since, deletions = v_deletions,
    allow_deletions = e.allow_deletions and v_more,
    -- What a bank of harmless pictures loses lets others match.
    look_back = e.look_back or v_added + v_replaced > 0
      or (v_removed > 0 and exists (select from bank b where b.id = e.bank and b.policy ? 'suppresses')),
    lease_until = v_now + make_interval(secs => (p->>'leaseSeconds')::double precision),
    left_out = (
      select coalesce(jsonb_object_agg(n.reason, n.count), '{}') from (
        select l.key as reason, sum(l.value::bigint) as count
        from (select * from jsonb_each_text(e.left_out) union all select * from jsonb_each_text(p->'left')) l group by l.key
      ) n)
  where e.bank = v_exchange.bank;
  if p_rows <> '[]' or p->'left' <> '{}' then
    perform note_v1('exchange.page', actor(v_principal),
      jsonb_strip_nulls(jsonb_build_object('bank', 'b' || v_exchange.bank, 'page', v_exchange.pages + 1, 'more', v_more,
        'generation', v_generation, 'admission', v_admission, 'added', v_added + v_replaced, 'removed', v_removed + v_replaced,
        'unchanged', v_same, 'left', p->'left')),
      jsonb_build_object('name', v_exchange.name), null, null, null,
      'exchange-page:' || v_exchange.bank || ':' || v_exchange.pages + 1, v_now);
  end if;
  return query select 'applied', v_exchange.pages + 1, v_added + v_replaced, v_removed + v_replaced;
end $$;

-- Whose item it is, and its programme's words about it.
create function exchange_provenance(p_name text, p_key text, p_tags jsonb) returns jsonb
  language sql immutable set search_path = blobwatch, pg_temp as $$
  select jsonb_build_object('exchange', p_name, 'fetchId', p_key, 'tags', p_tags)
$$;

-- What came in is compared with what was seen: one pass, however many pages.
create function look_back_for_exchange(p_exchange exchange, p_principal integer, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_bank bank;
  v_generation bigint;
begin
  if not p_exchange.look_back then
    return;
  end if;
  select * into v_bank from bank b where b.id = p_exchange.bank;
  -- A pass has its generation alone.
  update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
  insert into bank_change (generation, op, bank, principal, at) values (v_generation, 'import', v_bank.id, p_principal, p_now);
  perform start_pass(v_generation, coalesce(pass_of_negative(v_bank.policy), jsonb_build_object('bank', v_bank.id)), p_now);
  update exchange e set look_back = false where e.bank = v_bank.id;
end $$;

-- A fetch is over; of a lease that is over it does nothing. p: bank, token, ok (missing: it was stopped, and somebody goes on at
-- once), reason (where not ok), nextAt, principal, now.
create function end_exchange_v1(p jsonb) returns table (ended boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_ok boolean := (p->>'ok')::boolean;
  v_exchange exchange;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_exchange from exchange e where e.bank = (p->>'bank')::integer and e.lease_token = (p->>'token')::uuid for update;
  if not found then
    return query select false;
    return;
  end if;
  if v_ok is not null then
    perform look_back_for_exchange(v_exchange, v_principal, v_now);
  end if;
  update exchange e set lease_token = null, lease_until = null, next_fetch_at = (p->>'nextAt')::timestamptz,
    fetch_ended_at = case when v_ok is null then e.fetch_ended_at else v_now end, fetch_ok = coalesce(v_ok, e.fetch_ok),
    up_to_date = case when v_ok is false then false else e.up_to_date end,
    succeeded_at = case when v_ok then v_now else e.succeeded_at end,
    fetch_reason = case when v_ok then null else coalesce(p->>'reason', e.fetch_reason) end,
    failures = case when v_ok then 0 when v_ok is null then e.failures else e.failures + 1 end
  where e.bank = v_exchange.bank;
  -- Each try finds it again; it is told once.
  if p->>'reason' = 'too-many-deletions' and v_exchange.fetch_reason is distinct from 'too-many-deletions' then
    perform note_v1('exchange.held', actor(v_principal),
      jsonb_build_object('bank', 'b' || v_exchange.bank, 'reason', p->>'reason', 'deletions', v_exchange.deletions),
      jsonb_build_object('name', v_exchange.name), null, null, null, 'exchange-held:' || gen_random_uuid(), v_now);
  end if;
  return query select true;
end $$;

-- Takes contents out of the bank of an exchange that is switched off, so that it can be removed: what is larger than one statement
-- takes goes in parts. p: name, limit, principal, now. Returns how many; fewer than the limit: that was all.
create function empty_exchange_v1(p jsonb) returns table (removed integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_exchange exchange;
  v_contents integer[];
  v_generation bigint;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_exchange from exchange e where e.name = p->>'name' and not e.enabled for update;
  if not found then
    raise exception 'Exchange ''%'' is on, or not there', p->>'name' using errcode = 'BU001';
  end if;
  v_contents := array(
    select c.id from bank_content c where c.bank = v_exchange.bank and c.removed_at is null limit (p->>'limit')::integer);
  if v_contents <> '{}' then
    update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
    insert into bank_change (generation, op, bank, principal, at)
    values (v_generation, 'import', v_exchange.bank, v_principal, v_now);
    update bank_content c set removed_at = v_now where c.id = any (v_contents);
    update bank_signal s set state = 'removed', removed_generation = v_generation
    where s.content = any (v_contents) and s.state = 'live';
    update exchange e set fetched_items = greatest(0, e.fetched_items - cardinality(v_contents)) where e.bank = v_exchange.bank;
    perform note_v1('exchange.emptied', actor(v_principal),
      jsonb_build_object('bank', 'b' || v_exchange.bank, 'generation', v_generation, 'added', 0, 'removed', cardinality(v_contents)),
      jsonb_build_object('name', v_exchange.name), null, null, null, 'exchange-emptied:' || v_generation, v_now);
  end if;
  return query select cardinality(v_contents);
end $$;

-- p: op (create | set | remove | fetch), name, principal, now. create: api, config, policy, class (missing: restricted), enabled (missing: yes); makes the
-- bank of that name as well, which is confidential and observes. set: enabled. remove: contentsMax; takes its bank away too. fetch: at once;
-- allowDeletions until it is up to date; fromStart: from the programme's beginning.
-- Of an exchange that is not there, remove does nothing.
create or replace function change_exchange_v1(p jsonb) returns table (bank integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_exchange exchange;
  v_bank bank;
  v_number integer;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  if p->>'op' = 'create' then
    select c.bank into v_number from change_bank_v1(jsonb_build_object('op', 'bank.create', 'name', p->>'name',
      'mode', 'observe', 'class', coalesce(p->>'class', 'restricted'), 'confidential', true, 'exchange', p->>'name', 'policy', p->'policy',
      'principal', v_principal, 'now', v_now)) c;
    insert into exchange (name, bank, api, config, enabled, created_at)
    values (p->>'name', v_number, p->>'api', p->'config', coalesce((p->>'enabled')::boolean, true), v_now)
    returning * into v_exchange;
  else
    select * into v_exchange from exchange e where e.name = p->>'name' for update;
    if not found then
      if p->>'op' = 'remove' then
        return;
      end if;
      raise exception 'Exchange ''%'' not found', p->>'name' using errcode = 'BU001';
    end if;
    if p->>'op' = 'set' then
      if not (p->>'enabled')::boolean then
        perform look_back_for_exchange(v_exchange, v_principal, v_now);
      end if;
      -- Without its lease, what is on its way comes in no more.
      update exchange e set enabled = (p->>'enabled')::boolean, asked = e.asked or (p->>'enabled')::boolean,
        lease_token = case when (p->>'enabled')::boolean then e.lease_token end,
        lease_until = case when (p->>'enabled')::boolean then e.lease_until end
      where e.name = v_exchange.name returning * into v_exchange;
    elsif p->>'op' = 'fetch' then
      if not v_exchange.enabled then
        raise exception 'exchange ''%'' is disabled: exchange enable %', v_exchange.name, v_exchange.name using errcode = 'BU001';
      end if;
      update exchange e set asked = true, allow_deletions = e.allow_deletions or coalesce((p->>'allowDeletions')::boolean, false)
      where e.name = v_exchange.name;
      if (p->>'fromStart')::boolean then
        update exchange e set checkpoint = null, checkpoint_at = null, pages = e.pages + 1, up_to_date = false,
          left_out = '{}', lease_token = null, lease_until = null
        where e.name = v_exchange.name;
      end if;
    end if;
  end if;
  perform note_v1('exchange.' || (p->>'op'), actor(v_principal),
    jsonb_strip_nulls(jsonb_build_object('bank', 'b' || v_exchange.bank, 'api', v_exchange.api, 'enabled', v_exchange.enabled,
      'allowDeletions', p->'allowDeletions', 'fromStart', p->'fromStart')),
    jsonb_build_object('name', v_exchange.name), null, null, null, 'exchange-change:' || gen_random_uuid(), v_now);
  if p->>'op' = 'remove' then
    select * into v_bank from bank b where b.id = v_exchange.bank for update;
    perform end_bank(v_bank, (p->>'contentsMax')::integer, v_principal, v_now);
  end if;
  return query select v_exchange.bank;
end $$;
