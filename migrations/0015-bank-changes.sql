-- Steps of a bank that changes: contents come in by admission, lists by an import, what is large by a second person.

alter table admission
  -- What it was made for (signals_digest), and what came of it: an admission brings in one content, once.
  add column signals bytea,
  add column content integer;
alter table bank_import
  -- Every staged line has its op: what is new, what stays and what goes is known.
  add column compared boolean not null default false;
-- Each line is written once and marked once: the mark fits on the same page.
alter table bank_import_line set (fillfactor = 70);
-- What a person moved to another bank does not come back with the next list.
create index bank_content_source_moved on bank_content (bank, source, source_key)
  where source_key is not null and moved_to is not null;

-- The same for the same signals in any order.
create function signals_digest(p_signals jsonb) returns bytea
  language sql immutable parallel safe set search_path = blobwatch, pg_temp as $$
  select sha256(convert_to(coalesce(string_agg(
    s->>'type' || ':' || lower(s->>'value'), ' ' order by s->>'type' collate "C", lower(s->>'value') collate "C"), ''), 'UTF8'))
  from jsonb_array_elements(p_signals) s
$$;

-- The ledger's profile has no fractions, and who knows the seed knows which blobs a bank does not look at.
create function policy_for_ledger(p_policy jsonb) returns jsonb
  language sql immutable set search_path = blobwatch, pg_temp as $$
  select (p_policy - 'ratioSeed') || case when p_policy ? 'ratio' then jsonb_build_object('ratio', p_policy->>'ratio') else '{}' end
$$;

-- The pass over the blobs of these banks; one that is named alone as roles/rematch.ts has it.
create function pass_of_banks(p_banks jsonb) returns jsonb
  language sql immutable set search_path = blobwatch, pg_temp as $$
  select case jsonb_array_length(p_banks)
    when 0 then null
    when 1 then jsonb_build_object('bank', p_banks->0)
    else jsonb_build_object('banks', p_banks)
  end
$$;

-- The pass when a bank of harmless pictures changes: over all that ever matched. null: this is no such bank.
create function pass_of_negative(p_policy jsonb) returns jsonb
  language sql immutable set search_path = blobwatch, pg_temp as $$
  select case when p_policy ? 'suppresses' then '{"all": true}'::jsonb end
$$;

-- The pass that a change of policy needs: what was not found or was set aside before may count now. null: none.
create function pass_of_policy(p_bank integer, p_before jsonb, p_after jsonb) returns jsonb
  language plpgsql stable set search_path = blobwatch, pg_temp as $$
declare
  v_reach_before jsonb := jsonb_build_array(p_before->'pdqDistanceMax', coalesce(p_before->'clipDistanceMax', '62'),
    coalesce(p_before->'ratio', '1'), coalesce(p_before->'ratioSeed', '""'));
  v_reach_after jsonb := jsonb_build_array(p_after->'pdqDistanceMax', coalesce(p_after->'clipDistanceMax', '62'),
    coalesce(p_after->'ratio', '1'), coalesce(p_after->'ratioSeed', '""'));
  v_from jsonb := p_before->'suppresses';
  v_to jsonb := p_after->'suppresses';
begin
  if v_from is null and v_to is null then
    return case
      when v_reach_after->0 > v_reach_before->0 or v_reach_after->1 > v_reach_before->1 or v_reach_after->2 > v_reach_before->2
        or (v_reach_after->3 <> v_reach_before->3 and v_reach_after->2 < '1')
      then jsonb_build_object('bank', p_bank) end;
  elsif v_from is not distinct from v_to and v_reach_before = v_reach_after then
    return null;
  elsif v_to is not null and (v_from = '"all"' or v_to = '"all"') then
    return '{"all": true}';
  end if;
  -- An ordinary bank again: its own matches count now, which were never written down.
  return pass_of_banks((
    select jsonb_agg(distinct n order by n) from (
      select jsonb_array_elements(case when jsonb_typeof(v_from) = 'array' then v_from else '[]' end) as n
      union all
      select jsonb_array_elements(coalesce(v_to, '[]'))
      union all
      select to_jsonb(b.id) from bank b where v_to is null and (b.id = p_bank or v_from = '"all"')
    ) banks
  ));
end $$;

create function start_pass(p_generation bigint, p_detail jsonb, p_now timestamptz) returns void
  language sql set search_path = blobwatch, pg_temp as $$
  insert into job (kind, key, next_at, reason, retro, detail, created_at)
  select 'rematch', int8send(p_generation), p_now, 'bank-change', p_generation, jsonb_strip_nulls(p_detail), p_now
  where p_detail is not null
  on conflict (kind, key) do nothing
$$;

-- Writes down how a test went. p: bank (name), kind, principal, verdict, result (counts only), signals, now.
create function record_admission_v1(p jsonb) returns integer
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_bank bank;
  v_id integer;
begin
  select * into v_bank from bank b where b.name = p->>'bank';
  if not found then
    raise exception 'bank ''%'' not found', p->>'bank' using errcode = 'BU001';
  end if;
  insert into admission (bank, kind, at, principal, verdict, result, signals)
  values (v_bank.id, p->>'kind', (p->>'now')::timestamptz, (p->>'principal')::integer, p->>'verdict', p->'result',
    case when p ? 'signals' then signals_digest(p->'signals') end)
  returning id into v_id;
  if p->>'verdict' <> 'passed' then
    perform note_v1('admission.' || (p->>'verdict'), actor((p->>'principal')::integer),
      jsonb_build_object('bank', 'b' || v_bank.id, 'admission', v_id, 'kind', p->>'kind', 'result', p->'result'),
      jsonb_build_object('name', v_bank.name), null, null, null, 'admission:' || v_id, (p->>'now')::timestamptz);
  end if;
  return v_id;
end $$;

-- The admission that lets these signals into this bank; raises where there is none.
create function admitted(p_admission integer, p_bank integer, p_signals jsonb, p_proposal integer) returns admission
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_admission admission;
begin
  select * into v_admission from admission a
  where a.id = p_admission and a.bank = p_bank and a.kind = 'content' and a.signals = signals_digest(p_signals) for update;
  if not found then
    raise exception 'a content comes into a bank only with its own admission test' using errcode = 'BU001';
  end if;
  if v_admission.verdict = 'passed' or (v_admission.verdict = 'waits' and exists (
    select from proposal r where r.id = p_proposal and r.state = 'approved' and r.payload->>'admission' = p_admission::text
  )) then
    return v_admission;
  end if;
  raise exception 'the admission test of this content says: %', v_admission.verdict using errcode = 'BU001';
end $$;

-- p: op (bank.create | bank.set | content.add | content.remove | content.set | content.resume), principal, now, and the
-- fields of the op. content.add: admission, of the same bank and signals; the same admission again adds nothing.
-- content.set with onlyWhenDue: nothing but for a content whose time of being disabled is over.
create or replace function change_bank_v1(p jsonb) returns table (bank integer, content integer, generation bigint)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_op text := p->>'op';
  v_bank bank;
  v_before jsonb;
  v_content integer := (p->>'content')::integer;
  v_admission admission;
  v_pass jsonb;
  v_generation bigint;
begin
  -- Waits for every scan and batch that is being written with the generation of before.
  perform pg_advisory_xact_lock(bank_lock_key());
  if v_op <> 'bank.create' then
    select * into v_bank from bank b where b.name = p->>'name' for update;
    if not found then
      raise exception 'bank ''%'' not found', p->>'name' using errcode = 'BU001';
    end if;
    v_before := jsonb_build_object('mode', v_bank.mode, 'policy', v_bank.policy);
  end if;
  if v_op = 'content.add' then
    v_admission := admitted((p->>'admission')::integer, v_bank.id, p->'signals', (p->>'proposal')::integer);
    if v_admission.content is not null then
      return query select v_bank.id, v_admission.content, h.generation from bank_head h;
      return;
    end if;
  end if;
  if (p->>'onlyWhenDue')::boolean and not exists (
    select from bank_content c
    where c.id = v_content and c.bank = v_bank.id and c.removed_at is null
      and c.disable_until_ts between 2 and extract(epoch from v_now)
  ) then
    return query select v_bank.id, v_content, h.generation from bank_head h;
    return;
  end if;
  update bank_head set generation = bank_head.generation + 1 returning bank_head.generation into v_generation;

  if v_op = 'bank.create' then
    insert into bank (name, mode, class, confidential, exchange, policy, created_at)
    values (p->>'name', p->>'mode', p->>'class', coalesce((p->>'confidential')::boolean, false), p->>'exchange',
      p->'policy', v_now)
    on conflict (name) do nothing
    returning * into v_bank;
    if not found then
      raise exception 'Bank already exists' using errcode = 'BU001';
    end if;
    insert into bank_policy_history values (v_bank.id, 1, p->'policy', v_principal, v_now);
  elsif v_op = 'bank.set' then
    update bank b set mode = coalesce(p->>'mode', b.mode), policy = coalesce(p->'policy', b.policy),
      policy_version = b.policy_version + 1
    where b.id = v_bank.id returning * into v_bank;
    insert into bank_policy_history values (v_bank.id, v_bank.policy_version, v_bank.policy, v_principal, v_now);
    v_pass := pass_of_policy(v_bank.id, v_before->'policy', v_bank.policy);
  elsif v_op = 'content.add' then
    insert into bank_content (bank, note, metadata, provenance, disable_until_ts, created_at, admission)
    values (v_bank.id, p->>'note', p->'metadata', p->'provenance', coalesce((p->>'disableUntilTs')::bigint, 1), v_now,
      v_admission.id)
    returning id into v_content;
    insert into bank_signal (content, type, value, quality, added_generation)
    select v_content, s.type, decode(s.value, 'hex'), s.quality, v_generation
    from jsonb_to_recordset(p->'signals') as s(type text, value text, quality smallint);
    update admission a set content = v_content where a.id = v_admission.id;
    v_pass := jsonb_build_object('content', v_content, 'bank', v_bank.id);
  elsif v_op in ('content.remove', 'content.set', 'content.resume') then
    perform 1 from bank_content c where c.id = v_content and c.bank = v_bank.id and c.removed_at is null for update;
    if not found then
      raise exception 'bank ''%'' has no content %', p->>'name', v_content using errcode = 'BU001';
    end if;
    if v_op = 'content.remove' then
      update bank_content set removed_at = v_now where id = v_content;
      update bank_signal s set state = 'removed', removed_generation = v_generation
      where s.content = v_content and s.state = 'live';
    elsif v_op = 'content.set' then
      update bank_content set disable_until_ts = (p->>'disableUntilTs')::bigint where id = v_content;
      if p->>'disableUntilTs' = '1' then
        v_pass := jsonb_build_object('content', v_content, 'bank', v_bank.id);
      end if;
    else
      -- A person looked at the flood: the content may act again, under a limit that counts anew.
      update bank_content set held_at = null, flood_since = v_now where id = v_content;
    end if;
  end if;

  insert into bank_change (generation, op, bank, content, principal, at)
  values (v_generation, v_op, v_bank.id, v_content, v_principal, v_now);

  -- A content of a bank of harmless pictures changes what the others may find, whichever way it changes.
  if v_op in ('content.add', 'content.remove', 'content.set') then
    v_pass := coalesce(pass_of_negative(v_bank.policy), v_pass);
  end if;
  perform start_pass(v_generation, v_pass, v_now);

  perform note_v1(v_op, actor(v_principal),
    jsonb_strip_nulls(jsonb_build_object('bank', 'b' || v_bank.id, 'content', v_content, 'generation', v_generation,
      'before', v_before || jsonb_build_object('policy', policy_for_ledger(v_before->'policy')),
      'disableUntilTs', p->'disableUntilTs', 'mode', p->>'mode', 'class', p->>'class', 'policy', policy_for_ledger(p->'policy'),
      'signals', (select jsonb_agg(distinct s.type) from jsonb_to_recordset(coalesce(p->'signals', '[]')) as s(type text)),
      'admission', case when v_admission.id is not null
        then jsonb_build_object('id', v_admission.id, 'verdict', v_admission.verdict, 'result', v_admission.result) end,
      'proposal', p->'proposal')),
    jsonb_strip_nulls(jsonb_build_object('name', v_bank.name, 'note', p->>'note', 'ratioSeed', p#>>'{policy,ratioSeed}')),
    null, null, null, 'bank:' || v_generation, v_now);
  return query select v_bank.id, v_content, v_generation;
end $$;

-- A content goes to another bank with its signals: a new content there, the old one removed. Returns the new one's id.
-- Each half has its own generation. Raises BU001 with what is wrong.
create function move_content(p_content integer, p_to_bank integer, p_principal integer, p_now timestamptz) returns integer
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_old bank_content;
  v_from bank;
  v_to bank;
  v_new integer;
  v_generation bigint;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_old from bank_content c where c.id = p_content and c.removed_at is null for update;
  if not found then
    raise exception 'there is no content %', p_content using errcode = 'BU001';
  end if;
  select * into v_from from bank b where b.id = v_old.bank;
  select * into v_to from bank b where b.id = p_to_bank;
  if v_to.id is null or v_to.id = v_from.id then
    raise exception 'content % moves to another bank', p_content using errcode = 'BU001';
  end if;
  if v_from.confidential and not v_to.confidential then
    raise exception 'a content of a confidential bank moves only to a confidential bank' using errcode = 'BU001';
  end if;
  if v_from.class = 'restricted' and v_to.class <> 'restricted' then
    raise exception 'a content of a restricted bank moves only to a restricted bank' using errcode = 'BU001';
  end if;
  if v_from.policy ? 'suppresses' and not v_to.policy ? 'suppresses' then
    -- It came in without being compared with harmless pictures.
    raise exception 'a content of a bank of harmless pictures moves only to another such bank: add it to the other bank, where it is tested'
      using errcode = 'BU001';
  end if;

  update bank_head h set generation = h.generation + 2 returning h.generation into v_generation;
  insert into bank_content (bank, disable_until_ts, held_at, flood_since, note, metadata, provenance, created_at, admission,
    reviewed, reviewed_at)
  values (v_to.id, v_old.disable_until_ts, v_old.held_at, v_old.flood_since, v_old.note, v_old.metadata,
    jsonb_strip_nulls(jsonb_build_object('bank', v_from.id, 'content', v_old.id, 'source', v_old.source,
      'sourceKey', v_old.source_key, 'before', v_old.provenance)),
    p_now, v_old.admission, v_old.reviewed, v_old.reviewed_at)
  returning id into v_new;
  insert into bank_signal (content, type, value, quality, added_generation)
  select v_new, s.type, s.value, s.quality, v_generation
  from bank_signal s where s.content = v_old.id and s.state = 'live' order by s.id;
  update bank_signal s set state = 'removed', removed_generation = v_generation - 1
  where s.content = v_old.id and s.state = 'live';
  update bank_content set removed_at = p_now, moved_to = v_new where id = v_old.id;
  insert into bank_change (generation, op, bank, content, principal, at)
  values (v_generation - 1, 'content.remove', v_from.id, v_old.id, p_principal, p_now),
    (v_generation, 'content.add', v_to.id, v_new, p_principal, p_now);

  perform start_pass(v_generation - 1, pass_of_negative(v_from.policy), p_now);
  perform start_pass(v_generation,
    coalesce(pass_of_negative(v_to.policy), jsonb_build_object('content', v_new, 'bank', v_to.id)), p_now);
  perform note_v1('content.move', actor(p_principal),
    jsonb_build_object('bank', 'b' || v_from.id, 'content', v_old.id, 'toBank', 'b' || v_to.id, 'toContent', v_new,
      'generation', v_generation),
    jsonb_build_object('name', v_from.name, 'toName', v_to.name), null, null, null, 'bank:' || v_generation, p_now);
  return v_new;
end $$;

-- p: bank, content, to (names), principal, now.
create function move_content_v1(p jsonb) returns table (content integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_to integer;
begin
  perform 1 from bank_content c join bank b on b.id = c.bank
  where b.name = p->>'bank' and c.id = (p->>'content')::integer and c.removed_at is null;
  if not found then
    raise exception 'bank ''%'' has no content %', p->>'bank', p->>'content' using errcode = 'BU001';
  end if;
  select id into v_to from bank b where b.name = p->>'to';
  if not found then
    raise exception 'bank ''%'' not found', p->>'to' using errcode = 'BU001';
  end if;
  return query select carry_matches((p->>'content')::integer,
    move_content((p->>'content')::integer, v_to, (p->>'principal')::integer, (p->>'now')::timestamptz));
end $$;

-- Asks for a second person. Where nobody else is registered the same one may approve a day later.
create function propose(p_kind text, p_bank bank, p_payload jsonb, p_reason text, p_principal integer, p_now timestamptz)
  returns proposal
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_proposal proposal;
begin
  insert into proposal (kind, bank, payload, reason, principal, at, alone_until)
  values (p_kind, p_bank.id, p_payload, p_reason, p_principal, p_now,
    case when not exists (select from principal r where r.kind = 'person' and r.id <> p_principal)
      then p_now + interval '24 hours' end)
  returning * into v_proposal;
  perform note_v1('proposal', actor(p_principal),
    jsonb_strip_nulls(jsonb_build_object('proposal', v_proposal.id, 'kind', p_kind, 'bank', 'b' || p_bank.id, 'reason', p_reason,
      'admission', p_payload->'admission', 'import', p_payload->'import', 'alone', v_proposal.alone_until is not null)),
    jsonb_build_object('name', p_bank.name), null, null, null, 'proposal:' || v_proposal.id, p_now);
  return v_proposal;
end $$;

-- p: admission (verdict waits), payload (what change_bank_v1 gets when it is approved), reason, principal, now.
-- The same signals for the same bank while such a proposal is open: that one.
create function propose_content_v1(p jsonb) returns table (proposal integer, alone_until timestamptz)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_admission admission;
  v_bank bank;
  v_proposal proposal;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_admission from admission a where a.id = (p->>'admission')::integer and a.verdict = 'waits' and a.kind = 'content';
  if not found then
    raise exception 'there is no admission % that waits', p->>'admission' using errcode = 'BU001';
  end if;
  select * into v_bank from bank b where b.id = v_admission.bank;
  select r.* into v_proposal from proposal r join admission a on a.id = (r.payload->>'admission')::integer
  where r.state = 'open' and r.kind = 'content.add' and r.bank = v_bank.id and a.signals = v_admission.signals;
  if not found then
    v_proposal := propose('content.add', v_bank,
      p->'payload' || jsonb_build_object('op', 'content.add', 'name', v_bank.name, 'admission', v_admission.id),
      p->>'reason', (p->>'principal')::integer, (p->>'now')::timestamptz);
  end if;
  return query select v_proposal.id, v_proposal.alone_until;
end $$;

-- p: proposal, verb (approve | reject), principal, now. Done in the statement that decides. The same word again changes
-- nothing (changed = false).
create function decide_proposal_v1(p jsonb)
  returns table (kind text, bank text, content integer, import integer, "secondPerson" boolean, changed boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_who principal;
  v_proposal proposal;
  v_bank bank;
  v_state text := case p->>'verb' when 'approve' then 'approved' else 'rejected' end;
  v_second boolean;
  v_import integer;
  v_content integer;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_who from principal r where r.id = (p->>'principal')::integer;
  select * into v_proposal from proposal r where r.id = (p->>'proposal')::integer for update;
  if not found then
    raise exception 'there is no proposal %', p->>'proposal' using errcode = 'BU001';
  end if;
  select * into v_bank from bank b where b.id = v_proposal.bank;
  v_import := (v_proposal.payload->>'import')::integer;
  if v_proposal.state = v_state then
    select a.content into v_content from admission a where a.id = (v_proposal.payload->>'admission')::integer;
    return query select v_proposal.kind, v_bank.name, v_content, v_import,
      v_proposal.decided_by <> v_proposal.principal, false;
    return;
  end if;
  if v_proposal.state <> 'open' then
    raise exception 'proposal % is % already', v_proposal.id, v_proposal.state using errcode = 'BU001';
  end if;
  if v_who.kind is distinct from 'person' then
    raise exception 'only a person decides about a proposal' using errcode = 'BU001';
  end if;
  v_second := v_who.id <> v_proposal.principal;
  if v_state = 'approved' and not v_second and v_now < coalesce(v_proposal.alone_until, 'infinity') then
    raise exception 'proposal % is your own: %', v_proposal.id, coalesce(
      'nobody else is registered, so you may approve it yourself from '
        || to_char(v_proposal.alone_until, 'YYYY-MM-DD HH24:MI') || 'Z on',
      'another person approves it') using errcode = 'BU001';
  end if;

  update proposal r set state = v_state, decided_by = v_who.id, decided_at = v_now where r.id = v_proposal.id;
  perform note_v1('proposal.' || v_state, actor(v_who.id),
    jsonb_strip_nulls(jsonb_build_object('proposal', v_proposal.id, 'kind', v_proposal.kind, 'bank', 'b' || v_bank.id,
      'admission', v_proposal.payload->'admission', 'import', v_import, 'by', v_proposal.principal, 'secondPerson', v_second,
      'waitedHours', floor(extract(epoch from v_now - v_proposal.at) / 3600)::integer)),
    jsonb_build_object('name', v_bank.name), null, null, null, 'proposal:' || v_proposal.id || ':' || v_state, v_now);
  if v_state = 'approved' and v_proposal.kind = 'content.add' then
    select c.content into v_content from change_bank_v1(v_proposal.payload
      || jsonb_build_object('proposal', v_proposal.id, 'principal', v_who.id, 'now', v_now)) c;
  elsif v_state = 'approved' then
    perform start_import(v_import, v_who.id, v_now);
  elsif v_import is not null then
    perform end_import(v_import, 'refused', v_who.id, v_now);
  end if;
  return query select v_proposal.kind, v_bank.name, v_content, v_import, v_second, true;
end $$;

-- An import: staging -> staged, compared page by page -> applying (or waiting for a person) -> done. Each step moves a number
-- in the statement that did the work, and does nothing when the number is not where the caller believes it to be.

-- p: bank (name), source, digest (hex of the list's bytes; null: read from a pipe, known when it was read), replaces,
-- principal, now. The open import of this list, or a new one.
create function open_import_v1(p jsonb) returns table (import integer, state text, staged integer, "position" integer,
    compared boolean, proposal integer, resumed boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_bank bank;
  v_import bank_import;
  v_digest bytea := coalesce(decode(p->>'digest', 'hex'), ''::bytea);
begin
  select * into v_bank from bank b where b.name = p->>'bank' for update;
  if not found then
    raise exception 'bank ''%'' not found', p->>'bank' using errcode = 'BU001';
  end if;
  select * into v_import from bank_import i
  where i.bank = v_bank.id and i.source = p->>'source' and i.state not in ('done', 'refused') for update;
  if found and v_import.state = 'staging' and v_import.digest = '' then
    -- A pipe that broke cannot be read on from where it broke, and nothing came of it.
    perform end_import(v_import.id, 'refused', (p->>'principal')::integer, (p->>'now')::timestamptz);
    v_import := null;
  end if;
  if v_import.id is not null then
    if v_import.digest <> v_digest or v_import.replaces <> (p->>'replaces')::boolean then
      raise exception 'another import of the list ''%'' into % is open since %Z: finish it (the same command as then), or drop it with --abandon',
        p->>'source', v_bank.name, to_char(v_import.started_at, 'YYYY-MM-DD HH24:MI') using errcode = 'BU001';
    end if;
  else
    insert into bank_import (bank, source, digest, state, replaces, principal, started_at)
    values (v_bank.id, p->>'source', v_digest, 'staging', (p->>'replaces')::boolean, (p->>'principal')::integer,
      (p->>'now')::timestamptz)
    returning * into v_import;
    return query select v_import.id, v_import.state, 0, 0, false, null::integer, false;
    return;
  end if;
  return query select v_import.id, v_import.state, v_import.staged, v_import.position, v_import.compared, v_import.proposal, true;
end $$;

-- p: import, from, to (lines read before and after), lines: line, key, signals (null: refused), refused, note, metadata,
-- disableUntilTs. Returns how many lines are staged now.
create function stage_import_v1(p jsonb) returns integer
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_import integer := (p->>'import')::integer;
  v_staged integer;
begin
  update bank_import i set staged = (p->>'to')::integer
  where i.id = v_import and i.state = 'staging' and i.staged = (p->>'from')::integer;
  if found then
    insert into bank_import_line (import, line, key, signals, note, metadata, disable_until_ts, refused)
    select v_import, l.line, l.key, l.signals, l.note, l.metadata, coalesce(l."disableUntilTs", 1), l.refused
    from jsonb_to_recordset(p->'lines') as l(line integer, key text, signals jsonb, note text, metadata jsonb,
      "disableUntilTs" bigint, refused text);
  end if;
  select i.staged into v_staged from bank_import i where i.id = v_import;
  return v_staged;
end $$;

-- The list is read to its end. p: import, digest (hex).
create function staged_import_v1(p jsonb) returns boolean
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  update bank_import i set state = 'staged', digest = decode(p->>'digest', 'hex')
  where i.id = (p->>'import')::integer and i.state = 'staging';
  return found;
end $$;

-- What one page of staged lines is to the bank. p: import, limit. Lines that the list no longer has come last, as lines of
-- their own; what a line says that was refused for another reason than a harmless look-alike stays as it is. position counts
-- lines that were compared.
create function compare_import_v1(p jsonb) returns table ("position" integer, compared boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_import bank_import;
  v_limit integer := (p->>'limit')::integer;
  v_gone integer := 0;
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
          select min(e.line) from bank_import_line e where e.import = l.import and e.key = l.key and e.signals is not null
        ) as first
        from bank_import_line l
        where l.import = v_import.id and l.line > v_import.position and l.line <= v_import.position + v_limit
          and l.signals is not null
      ) n
      left join lateral (
        (select c.id, c.moved_to from bank_content c where c.bank = v_import.bank and c.source = v_import.source
          and c.source_key = n.key and c.source_key is not null and c.removed_at is null)
        union all
        (select c.id, c.moved_to from bank_content c where c.bank = v_import.bank and c.source = v_import.source
          and c.source_key = n.key and c.source_key is not null and c.moved_to is not null)
        limit 1
      ) c on true
    ) k
    where l.import = v_import.id and l.line = k.line;
    update bank_import i set position = least(v_import.position + v_limit, v_import.staged)
    where i.id = v_import.id returning * into v_import;
    return query select v_import.position, false;
    return;
  end if;
  if v_import.replaces then
    insert into bank_import_line (import, line, key, op, content)
    select v_import.id, v_import.position + row_number() over (order by c.id), c.source_key, 'delete', c.id
    from (
      select c.id, c.source_key from bank_content c
      where c.bank = v_import.bank and c.source = v_import.source and c.source_key is not null and c.removed_at is null
        and not exists (
          select from bank_import_line l where l.import = v_import.id and l.key = c.source_key and (l.op is not null or l.refused <> 'harmless')
        )
      order by c.id limit v_limit
    ) c;
    get diagnostics v_gone = row_count;
  end if;
  if v_gone > 0 then
    update bank_import i set position = i.position + v_gone where i.id = v_import.id returning * into v_import;
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

-- Whether a compared import may go on. p: import, admission (kind import), addsPercent, deletesPercent, principal, now.
-- From a list's second import on too large a share waits for a second person; so does what its admission says.
create function decide_import_v1(p jsonb) returns table (state text, proposal integer, "aloneUntil" timestamptz, reasons text[])
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_import bank_import;
  v_admission admission;
  v_bank bank;
  v_proposal proposal;
  v_had integer;
  v_reasons text[] := '{}';
begin
  -- Before scans have to wait: a list may have ten million.
  select count(*) into v_had from bank_import i join bank_content c on c.bank = i.bank and c.source = i.source
  where i.id = (p->>'import')::integer and c.source_key is not null and c.removed_at is null;
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
      if v_import.adds::bigint * 100 > v_had::bigint * (p->>'addsPercent')::integer then
        v_reasons := v_reasons || 'adds'::text;
      end if;
      if v_import.deletes::bigint * 100 > v_had::bigint * (p->>'deletesPercent')::integer then
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

-- The lines may come in. The first list that a bank gets makes it observe, until a person sets its mode.
create function start_import(p_import integer, p_principal integer, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_import bank_import;
  v_bank bank;
  v_first boolean;
  v_generation bigint;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select * into v_import from bank_import i where i.id = p_import for update;
  if v_import.state not in ('staged', 'waiting') then
    return;
  end if;
  select * into v_bank from bank b where b.id = v_import.bank for update;
  v_first := not exists (
    select from bank_import i where i.bank = v_bank.id and i.id <> p_import and i.state in ('applying', 'done')
  );
  update bank_import i set state = 'applying', position = 0 where i.id = p_import;
  perform note_v1('import.started', actor(p_principal),
    jsonb_strip_nulls(jsonb_build_object('bank', 'b' || v_bank.id, 'import', p_import, 'first', v_first, 'adds', v_import.adds,
      'deletes', v_import.deletes, 'unchanged', v_import.unchanged, 'refused', v_import.refused,
      'replaces', v_import.replaces, 'proposal', v_import.proposal, 'admission', (
        select jsonb_build_object('id', a.id, 'verdict', a.verdict, 'result', a.result)
        from admission a where a.id = v_import.admission
      ))),
    jsonb_build_object('name', v_bank.name, 'source', v_import.source, 'digest', encode(v_import.digest, 'hex')),
    null, null, null, 'import:' || p_import || ':started', p_now);
  if v_first and v_bank.mode <> 'observe' then
    update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
    update bank b set mode = 'observe', policy_version = b.policy_version + 1 where b.id = v_bank.id;
    insert into bank_policy_history values (v_bank.id, v_bank.policy_version + 1, v_bank.policy, p_principal, p_now);
    insert into bank_change (generation, op, bank, principal, at) values (v_generation, 'bank.set', v_bank.id, p_principal, p_now);
    perform note_v1('bank.set', actor(p_principal),
      jsonb_build_object('bank', 'b' || v_bank.id, 'generation', v_generation, 'mode', 'observe',
        'before', jsonb_build_object('mode', v_bank.mode), 'import', p_import),
      jsonb_build_object('name', v_bank.name), null, null, null, 'bank:' || v_generation, p_now);
  end if;
end $$;

-- Brings in the next lines, all or none. p: import, from (position), limit, principal, now. With the last ones the import is
-- done and one pass over stored signals begins.
create function apply_import_v1(p jsonb) returns table (state text, "position" integer, adds integer, deletes integer, same integer)
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
    delete from bank_import_line l where l.import = v_import.id and l.line <= v_to;
    update bank_import i set position = v_to where i.id = v_import.id returning * into v_import;
  end if;
  if not exists (select from bank_import_line l where l.import = v_import.id) then
    perform end_import(v_import.id, 'done', v_principal, v_now);
    v_import.state := 'done';
  end if;
  return query select v_import.state, v_import.position, v_adds, v_deletes, v_same;
end $$;

-- Done, or refused and dropped. What came in stays, and is compared with what was scanned before. The lines of a refused
-- one are left to drop_import_lines_v1: ten million would hold up every scan for as long as they take.
create function end_import(p_import integer, p_state text, p_principal integer, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_import bank_import;
  v_bank bank;
  v_generation bigint;
begin
  select * into v_import from bank_import i where i.id = p_import and i.state not in ('done', 'refused') for update;
  if not found then
    return;
  end if;
  select * into v_bank from bank b where b.id = v_import.bank;
  update bank_import i set state = p_state, ended_at = p_now where i.id = p_import;
  if v_import.state = 'applying' and v_import.position > 0 then
    select h.generation into v_generation from bank_head h;
    if p_state = 'refused' then
      -- A pass has its generation alone: the newest one may be another change's, with a pass about something else.
      update bank_head h set generation = h.generation + 1 returning h.generation into v_generation;
      insert into bank_change (generation, op, bank, principal, at)
      values (v_generation, 'import', v_bank.id, p_principal, p_now);
    end if;
    perform start_pass(v_generation,
      coalesce(pass_of_negative(v_bank.policy), jsonb_build_object('bank', v_bank.id, 'import', p_import)), p_now);
  end if;
  perform note_v1(case p_state when 'done' then 'import.done' else 'import.dropped' end, actor(p_principal),
    jsonb_build_object('bank', 'b' || v_bank.id, 'import', p_import, 'was', v_import.state, 'through', v_import.position),
    jsonb_build_object('name', v_bank.name, 'source', v_import.source),
    null, null, null, 'import:' || p_import || ':ended', p_now);
end $$;

-- Deletes staged lines of imports that were refused. p: limit. Returns how many; fewer than the limit: that was all.
create function drop_import_lines_v1(p jsonb) returns table (dropped integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  delete from bank_import_line d using (
    select l.import, l.line from bank_import i join bank_import_line l on l.import = i.id
    where i.state = 'refused' limit (p->>'limit')::integer for update of l skip locked
  ) x
  where d.import = x.import and d.line = x.line;
  get diagnostics dropped = row_count;
  return next;
end $$;

-- Drops the open import of a list. p: bank, source, principal, now. Returns what it was: its state and how far it was.
create function abandon_import_v1(p jsonb) returns table (import integer, state text, "position" integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_import bank_import;
begin
  perform pg_advisory_xact_lock(bank_lock_key());
  select i.* into v_import from bank_import i join bank b on b.id = i.bank
  where b.name = p->>'bank' and i.source = p->>'source' and i.state not in ('done', 'refused') for update of i;
  if not found then
    raise exception 'no import of the list ''%'' into % is open', p->>'source', p->>'bank' using errcode = 'BU001';
  end if;
  update proposal r set state = 'rejected', decided_by = (p->>'principal')::integer, decided_at = (p->>'now')::timestamptz
  where r.id = v_import.proposal and r.state = 'open';
  perform end_import(v_import.id, 'refused', (p->>'principal')::integer, (p->>'now')::timestamptz);
  return query select v_import.id, v_import.state, v_import.position;
end $$;

-- Values of a restricted bank leave it. p: bank, contents, format, principal, now.
create function note_export_v1(p jsonb) returns void
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_bank bank;
begin
  select * into v_bank from bank b where b.name = p->>'bank';
  if v_bank.id is null or v_bank.confidential then
    raise exception 'bank ''%'' is not exported', p->>'bank' using errcode = 'BU001';
  end if;
  perform note_v1('bank.export', actor((p->>'principal')::integer),
    jsonb_build_object('bank', 'b' || v_bank.id, 'contents', p->'contents', 'format', p->'format'),
    jsonb_build_object('name', v_bank.name), null, null, null,
    'export:' || (p->>'id'), (p->>'now')::timestamptz);
end $$;
