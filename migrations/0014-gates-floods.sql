-- What of a match counts, a flood of matches, other views of a stored picture, and passes that look at the gates again.

-- A match has the generation of the last scan that found it, as note_matches keeps it from now on.
update match m set bank_generation = b.bank_generation
from blob b
where b.blob_cid = m.blob_cid and b.verdict = 'matched' and m.bank_generation < b.bank_generation;

-- Found by a pass over stored signals: it says nothing about how much a content matches now.
alter table decision add column retro boolean;
-- Whoever looks after the service was told that this content is held since then.
alter table bank_content add column flood_told_at timestamptz;
update bank_content set flood_told_at = held_at where held_at is not null;
create index bank_content_held on bank_content (held_at) where held_at is not null;

-- What counts as matching at a moment: seen anew, by a match that was there then and is not set aside. What a person has
-- decided about a blob is no news about its content.
create view counted_match as
  select d.at, d.blob_cid, d.account, m.content
  from decision d
  join match m on m.blob_cid = d.blob_cid and m.at <= d.at and m.set_aside is null
  where d.retro is not true and d.reason not in ('case-released', 'subject-released', 'case-confirmed');

-- Up to p.limit due jobs with their context. A lease that ran out without being freed counts as a crash of its worker.
create or replace function claim_scans_v1(p jsonb) returns table (
  cid text, generation bigint, token uuid, attempts integer, crashes integer, retro bigint, created_at timestamptz,
  blob jsonb, tries jsonb, addresses jsonb, sightings jsonb, page_full boolean
) language plpgsql security definer set search_path = blobwatch, pg_temp
-- A plan that a connection made while the tables were empty would be kept until they are analyzed: 20 times slower.
set plan_cache_mode = force_custom_plan as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_until timestamptz := v_now + make_interval(secs => (p->>'leaseSeconds')::double precision);
  v_page integer := (p->>'page')::integer;
  v_job job;
  v_through timestamptz;
begin
  for v_job in
    with due as (
      select j.kind, j.key from job j
      where j.kind = 'scan' and j.next_at <= v_now and (j.lease_until is null or j.lease_until < v_now)
      order by j.next_at
      limit (p->>'limit')::integer
      for update skip locked
    )
    update job j set
      crashes = j.crashes + (j.lease_until is not null)::integer,
      attempts = j.attempts + 1,
      lease_token = gen_random_uuid(),
      lease_until = v_until
    from due
    where j.kind = due.kind and j.key = due.key
    returning j.*
  loop
    cid := encode(v_job.key, 'hex');
    generation := v_job.generation;
    token := v_job.lease_token;
    attempts := v_job.attempts;
    crashes := v_job.crashes;
    retro := v_job.retro;
    created_at := v_job.created_at;

    select jsonb_build_object(
      'verdict', b.verdict, 'reason', b.reason, 'kind', b.kind, 'bytes', b.bytes, 'quality', b.quality,
      'pdq', encode(b.pdq, 'hex'), 'md5', encode(b.md5, 'hex'), 'sha1', encode(b.sha1, 'hex'),
      'bankGeneration', b.bank_generation,
      'variants', coalesce((
        select jsonb_agg(jsonb_build_object('variant', v.variant, 'hash', encode(v.pdq, 'hex'), 'quality', v.quality))
        from blob_variant v where v.blob_cid = b.blob_cid), '[]'))
    into blob from blob b where b.blob_cid = v_job.key;

    select coalesce(jsonb_agg(jsonb_build_object(
      'host', t.host, 'outcome', t.outcome, 'until', t.until, 'attempts', t.attempts)), '[]')
    into tries from fetch_try t where t.blob_cid = v_job.key;

    select coalesce(jsonb_agg(a.url), '[]') into addresses from blob_address a where a.blob_cid = v_job.key;

    -- What has its decision already is left out. After a bank change every place is decided anew.
    v_through := null;
    if v_job.retro is null then
      select m.decided_through into v_through from matched_blob m where m.blob_cid = v_job.key;
    end if;
    select coalesce(jsonb_agg(to_jsonb(x)), '[]'), count(*) = v_page into sightings, page_full
    from (
      select s.account, a.did, a.identity_at as "identityAt", a.status, s.collection, s.rkey, encode(s.record_cid, 'hex') as "recordCid",
        s.source, s.at
      from sighting s
      join account a on a.id = s.account
      where blob_key(s.blob_cid) = blob_key(v_job.key) and s.blob_cid = v_job.key
        and a.did is not null
        and (v_through is null or s.at > v_through)
        and not exists (
          select from decision d
          where d.blob_cid = s.blob_cid and d.account = s.account
            and d.collection is not distinct from s.collection and d.rkey is not distinct from s.rkey
            and d.sighting_at >= s.at
            and (v_job.retro is null or d.bank_generation >= v_job.retro)
        )
      order by s.at desc
      limit v_page
    ) x;
    return next;
  end loop;
end $$;

-- The case of this key, made when there is none; p_cid (none: a case that has no blob yet) is put into it, unless that
-- blob has one already, which stays. What comes after a person has decided goes into a next one, which nobody has seen.
create function case_keyed(p_cid bytea, p_key text, p_reason text, p_now timestamptz, p_state text)
  returns case_file language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_case case_file;
  v_key text := p_key;
begin
  select c.* into v_case from case_blob cb join case_file c on c.id = cb.case_file
  where cb.blob_cid = p_cid for no key update of c;
  if found then
    return v_case;
  end if;
  for n in 2..1000 loop
    insert into case_file (key, state, reason, opened_at) values (v_key, p_state, p_reason, p_now)
    on conflict (key) do nothing
    returning * into v_case;
    if found then
      perform note_v1('case.opened', '{"kind":"system"}', jsonb_build_object('case', v_case.id, 'state', p_state, 'reason', p_reason),
        null, null, null, null, 'case.opened:' || v_case.id, p_now);
      exit;
    end if;
    select * into v_case from case_file where key = v_key for no key update;
    exit when v_case.state = p_state;
    v_key := p_key || ':' || n;
  end loop;
  if p_cid is not null then
    insert into case_blob (blob_cid, case_file) values (p_cid, v_case.id) on conflict do nothing;
  end if;
  return v_case;
end $$;

-- The case of a blob. A pass over stored signals puts all its blobs into one.
create or replace function open_case(p_cid bytea, p_retro bigint, p_reason text, p_now timestamptz, p_state text default 'open')
  returns case_file language sql set search_path = blobwatch, pg_temp as $$
  select * from case_keyed(p_cid,
    case when p_retro is null then 'blob:' || encode(p_cid, 'hex') else 'retro:' || p_retro end, p_reason, p_now, p_state)
$$;

create function flood_key(p_content bank_content) returns text language sql immutable as $$
  select 'flood:' || p_content.id || ':' || (extract(epoch from p_content.held_at) * 1000)::bigint
$$;

-- The one case of a flood: a person decides at once about everything of which something waits because of it. A blob that
-- only the policy has acted on comes over from its own case.
create function flood_case(p_content integer, p_cid bytea, p_now timestamptz)
  returns case_file language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_old case_file;
  v_case case_file;
begin
  select c.* into v_old from case_blob cb join case_file c on c.id = cb.case_file
  where cb.blob_cid = p_cid for no key update of c;
  if found and v_old.state <> 'acted' then
    return v_old;
  end if;
  delete from case_blob cb where cb.blob_cid = p_cid;
  v_case := case_keyed(p_cid, (select flood_key(c) from bank_content c where c.id = p_content), 'flood', p_now, 'open');
  if v_old.id is not null then
    update decision d set case_file = v_case.id where d.blob_cid = p_cid and d.case_file = v_old.id;
    delete from case_file c where c.id = v_old.id
      and not exists (select from case_blob x where x.case_file = c.id)
      and not exists (select from case_event x where x.case_file = c.id)
      and not exists (select from decision x where x.case_file = c.id)
      and not exists (select from legal_hold x where x.case_file = c.id);
    perform note_v1('case.merged', '{"kind":"system"}', jsonb_build_object('case', v_old.id, 'into', v_case.id),
      null, null, null, null, 'case.merged:' || v_old.id, p_now);
  end if;
  return v_case;
end $$;

-- What a scan matched, with what was set aside. The newest scan tells: a bank may have begun or ceased to keep it from
-- counting. What counts only now was not there for anybody who decided before. bank_generation: of the last scan that
-- found it.
create function note_matches(p_cid bytea, p_generation bigint, p_matches jsonb, p_now timestamptz) returns void
  language sql set search_path = blobwatch, pg_temp as $$
  insert into match as o (blob_cid, signal, variant, type, distance, content, bank, bank_generation, at, set_aside, set_aside_by)
  select p_cid, m.signal, coalesce(m.variant, 'original'), m.type, m.distance, m.content, m.bank, p_generation, p_now,
    m."setAside", m."setAsideBy"
  from jsonb_to_recordset(p_matches) as m(signal integer, variant text, type text, distance smallint, content integer,
    bank integer, "setAside" text, "setAsideBy" integer)
  on conflict (blob_cid, signal, variant) do nothing;
  update match o set set_aside = m."setAside", set_aside_by = m."setAsideBy",
    bank_generation = greatest(o.bank_generation, p_generation),
    at = case when o.set_aside is not null and m."setAside" is null then p_now else o.at end
  from jsonb_to_recordset(p_matches) as m(signal integer, "setAside" text, "setAsideBy" integer)
  where o.blob_cid = p_cid and o.signal = m.signal
    and (o.set_aside is distinct from m."setAside" or o.set_aside_by is distinct from m."setAsideBy"
      or o.bank_generation < p_generation)
$$;

-- What a worker found. `lost`: the lease is another's by now and nothing was written. `again`: written, and the job runs
-- once more (a newer reason, a newer bank, or more sightings than one page).
create or replace function settle_v1(p jsonb) returns table (result text, decisions integer, case_file integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_cid bytea := decode(p->>'cid', 'hex');
  v_generation bigint := bank_generation_v1();
  v_job job;
  v_case case_file;
  v_d jsonb;
  v_subject subject;
  v_blob_subject subject;
  v_record_subject subject;
  v_outcome text;
  v_reason text;
  v_decision bigint;
  v_kind text;
  v_contents integer[];
  v_decisions integer := 0;
  v_through timestamptz;
  v_grown bigint;
  v_flooded integer;
begin
  select * into v_job from job j
  where j.kind = 'scan' and j.key = v_cid and j.lease_token = (p->>'token')::uuid for update;
  if not found then
    return query select 'lost', 0, null::integer;
    return;
  end if;

  insert into fetch_try (blob_cid, host, outcome, at, until)
  select v_cid, t.host, t.outcome, v_now, t.until
  from jsonb_to_recordset(coalesce(p->'tries', '[]')) as t(host text, outcome text, until timestamptz)
  order by t.host
  on conflict (blob_cid, host) do update set
    outcome = excluded.outcome, at = excluded.at, until = excluded.until, attempts = fetch_try.attempts + 1;

  if p->'deferred' is not null then
    update job j set
      lease_token = null, lease_until = null,
      reason = p#>>'{deferred,reason}',
      next_at = case when j.generation = (p->>'generation')::bigint
        then (p#>>'{deferred,until}')::timestamptz else v_now end
    where j.kind = 'scan' and j.key = v_cid;
    return query select 'deferred', 0, null::integer;
    return;
  end if;

  insert into blob (blob_cid, hashed_at, bank_generation, bytes, coverage, quality, verdict, reason, kind, pdq, md5, sha1)
  select v_cid, v_now, (p->>'bankGeneration')::bigint, b.bytes, b.coverage, b.quality, b.verdict::verdict_kind, b.reason,
    b.kind::media_kind,
    decode(b.pdq, 'hex'), decode(b.md5, 'hex'), decode(b.sha1, 'hex')
  from jsonb_to_record(p->'blob') as b(bytes integer, coverage smallint, quality smallint, verdict text, reason text,
    kind text, pdq text, md5 text, sha1 text)
  on conflict (blob_cid) do update set
    hashed_at = excluded.hashed_at, bank_generation = excluded.bank_generation, bytes = excluded.bytes,
    coverage = excluded.coverage, quality = excluded.quality, verdict = excluded.verdict, reason = excluded.reason,
    kind = excluded.kind, pdq = excluded.pdq, md5 = excluded.md5, sha1 = excluded.sha1;
  if p ? 'variants' then
    delete from blob_variant v where v.blob_cid = v_cid
      and v.variant not in (select x->>'variant' from jsonb_array_elements(p->'variants') x);
    insert into blob_variant (blob_cid, variant, quality, pdq)
    select v_cid, v.variant, v.quality, decode(v.hash, 'hex')
    from jsonb_to_recordset(p->'variants') as v(variant text, quality smallint, hash text)
    on conflict (blob_cid, variant) do update set quality = excluded.quality, pdq = excluded.pdq;
  end if;

  -- It matches a content that it did not match when its earlier places were decided: those are decided anew, by a person.
  if v_job.retro is null and exists (
    select from jsonb_to_recordset(coalesce(p->'matches', '[]')) as m(content integer, "setAside" text)
    where m."setAside" is null and not exists (
      select from match o where o.blob_cid = v_cid and o.content = m.content and o.set_aside is null)
  ) and exists (
    select from decision d where d.blob_cid = v_cid and d.bank_generation < (p->>'bankGeneration')::bigint
  ) then
    v_grown := (p->>'bankGeneration')::bigint;
  end if;
  perform note_matches(v_cid, (p->>'bankGeneration')::bigint, coalesce(p->'matches', '[]'), v_now);

  for v_d in select * from jsonb_array_elements(coalesce(p->'decisions', '[]')) loop
    -- Erased while the worker was at it: nothing is written about an account that asked to be forgotten.
    perform 1 from account a where a.id = (v_d->>'account')::bigint and a.did is not null for key share;
    continue when not found;
    v_outcome := v_d->>'outcome';
    v_reason := v_d->>'reason';
    v_contents := array(select jsonb_array_elements_text(v_d->'contents')::integer);

    -- The rows that an act would touch; the blob first, as everywhere, so that two workers never wait for each other.
    v_blob_subject := put_subject('blob', (v_d->>'account')::bigint, v_cid, null, null, null);
    v_subject := v_blob_subject;
    v_record_subject := null;
    if v_d->>'collection' is not null then
      v_record_subject := put_subject('record', (v_d->>'account')::bigint, null, v_d->>'collection', v_d->>'rkey',
        decode(v_d->>'recordCid', 'hex'));
      v_subject := v_record_subject;
    end if;

    -- What a person has decided about this blob or this subject is stronger than any policy.
    v_case := null;
    if v_outcome in ('held', 'acted') then
      v_flooded := (select min(c.id) from bank_content c where c.id = any (v_contents) and c.held_at is not null);
      select c.* into v_case from case_blob cb join case_file c on c.id = cb.case_file
      where cb.blob_cid = v_cid for no key update of c;
      if v_case.state in ('released', 'overturned', 'confirmed') and exists (
        -- A bank that the person did not have before them when they decided: it is asked about anew.
        select from bank_content bc
        where bc.id = any (v_contents) and not exists (
          select from match m
          where m.blob_cid = v_cid and m.bank = bc.bank and m.set_aside is null and m.at <= v_case.decided_at
        )
      ) then
        v_outcome := 'held';
        v_reason := 'another-bank';
        update case_file c set state = 'open' where c.id = v_case.id returning * into v_case;
        insert into case_event (case_file, at, event, note) values (v_case.id, v_now, 'reopened', 'another bank matches');
        perform note_v1('case.reopened', '{"kind":"system"}', jsonb_build_object('case', v_case.id, 'reason', v_reason),
          null, null, null, null, 'case.reopened:' || v_case.id || ':' || gen_random_uuid(), v_now);
      elsif v_case.state in ('released', 'overturned') then
        v_outcome := 'released';
        v_reason := 'case-released';
      elsif 'released-by-person' in (v_blob_subject.standing, v_record_subject.standing) then
        v_outcome := 'released';
        v_reason := 'subject-released';
      elsif v_case.state = 'confirmed' then
        v_outcome := 'acted';
        v_reason := 'case-confirmed';
      elsif v_outcome = 'acted' and v_flooded is not null then
        v_outcome := 'held';
        v_reason := 'flood';
      end if;
      if v_outcome = 'held' and v_flooded is not null and v_job.retro is null then
        v_case := flood_case(v_flooded, v_cid, v_now);
      elsif v_outcome = 'held' then
        v_case := open_case(v_cid, v_job.retro, v_reason, v_now);
      elsif v_outcome = 'acted' and v_case.id is null then
        v_case := open_case(v_cid, null, v_reason, v_now, 'acted');
      end if;
    end if;

    insert into decision (at, blob_cid, account, source, collection, rkey, record_cid, sighting_at, subject, bank, content,
      type, distance, bank_generation, policy_version, mode, outcome, reason, wants, case_file, retro)
    values (v_now, v_cid, (v_d->>'account')::bigint, v_d->>'source', v_d->>'collection', v_d->>'rkey',
      decode(v_d->>'recordCid', 'hex'), (v_d->>'sightingAt')::timestamptz, v_subject.id,
      (v_d->>'bank')::integer, v_contents[1], v_d->>'type', (v_d->>'distance')::smallint,
      (p->>'bankGeneration')::bigint, (v_d->>'policyVersion')::integer, v_d->>'mode', v_outcome, v_reason,
      array(select jsonb_array_elements_text(v_d->'wants')), v_case.id, v_job.retro is not null)
    returning id into v_decision;
    v_decisions := v_decisions + 1;

    perform note_v1('decision', '{"kind":"system"}',
      jsonb_strip_nulls(jsonb_build_object('decision', v_decision, 'bank', 'b' || (v_d->>'bank'),
        'type', v_d->>'type', 'distance', (v_d->>'distance')::integer, 'variant', v_d->>'variant', 'policy', (v_d->>'policyVersion')::integer,
        'mode', v_d->>'mode', 'outcome', v_outcome, 'reason', v_reason, 'wants', v_d->'wants', 'case', v_case.id)),
      jsonb_strip_nulls(jsonb_build_object('account', v_d->>'did', 'blob', p->>'cid',
        'record', case when v_d->>'collection' is not null then (v_d->>'collection') || '/' || (v_d->>'rkey') end)),
      (v_d->>'account')::bigint, null, null, 'decision:' || v_decision, v_now);

    if v_outcome in ('held', 'acted') then
      foreach v_kind in array array(select jsonb_array_elements_text(v_d->'wants')) loop
        perform plan_action(v_decision,
          case when v_kind = 'takedown-blob' then v_blob_subject.id else v_record_subject.id end,
          v_kind, v_outcome = 'held', case when v_outcome = 'held' then v_reason end,
          v_reason = 'case-confirmed', (v_d->>'sightingAt')::timestamptz, v_contents,
          case when v_kind = 'label' then jsonb_build_object('val', v_d->>'label') end, v_now);
      end loop;
    end if;
  end loop;

  perform ask_person(v_cid);

  -- Sightings up to here have their decisions; the overlap covers batches that were still on their way in.
  if p#>>'{blob,verdict}' = 'matched' and not (p->>'pageFull')::boolean and p->>'againAt' is null then
    v_through := v_now - interval '10 minutes';
    insert into matched_blob (blob_cid, decided_through) values (v_cid, v_through)
    on conflict (blob_cid) do update set decided_through = excluded.decided_through;
  end if;

  if v_job.generation = (p->>'generation')::bigint and not (p->>'pageFull')::boolean
    and (p->>'bankGeneration')::bigint >= v_generation and p->>'againAt' is null and v_grown is null
  then
    delete from job j where j.kind = 'scan' and j.key = v_cid;
    delete from blob_address a where a.blob_cid = v_cid;
    if p#>>'{blob,md5}' is not null then
      delete from fetch_try t where t.blob_cid = v_cid;
    end if;
    return query select 'settled', v_decisions, v_case.id;
  else
    update job j set lease_token = null, lease_until = null, crashes = 0, retro = greatest(j.retro, v_grown),
      next_at = case when j.generation = (p->>'generation')::bigint and not (p->>'pageFull')::boolean
        then coalesce((p->>'againAt')::timestamptz, v_now) else v_now end
    where j.kind = 'scan' and j.key = v_cid;
    return query select 'again', v_decisions, v_case.id;
  end if;
end $$;

-- Sets a content aside until a person looks, and tells them once, by a case. p_facts: counts and limits, for the ledger.
create function hold_content(p_content integer, p_facts jsonb, p_note text, p_now timestamptz) returns boolean
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_case case_file;
begin
  update bank_content c set held_at = p_now where c.id = p_content and c.held_at is null;
  if not found then
    return false;
  end if;
  v_case := flood_case(p_content, null, p_now);
  insert into case_event (case_file, at, event, note) values (v_case.id, p_now, 'flood', p_note);
  perform note_v1('content.held', '{"kind":"system"}',
    jsonb_build_object('content', p_content, 'reason', 'flood', 'case', v_case.id) || p_facts,
    null, null, null, null, 'content.held:' || p_content || ':' || extract(epoch from p_now), p_now);
  return true;
end $$;

-- Every content that matched more different blobs, or blobs of more accounts, in the last ten minutes than it may: a
-- number set for all, or so many times what is usual for this one. Without a decision in that time it is one look.
create function hold_floods(p_limits jsonb, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare
  v_since timestamptz := p_now - interval '10 minutes';
  v_blobs integer := (p_limits->>'floodBlobs')::integer;
  v_accounts integer := (p_limits->>'floodAccounts')::integer;
  v_factor integer := (p_limits->>'floodFactor')::integer;
  v_flood record;
begin
  if v_blobs is null or not exists (select from decision d where d.at > v_since) then
    return;
  end if;
  for v_flood in
    select x.content, x.blobs, x.accounts, u.blobs as usual_blobs, u.accounts as usual_accounts,
      greatest(v_blobs, ceil(v_factor * u.blobs)::integer) as blobs_max,
      greatest(v_accounts, ceil(v_factor * u.accounts)::integer) as accounts_max
    from (
      select m.content, c.created_at, count(distinct m.blob_cid) as blobs, count(distinct m.account) as accounts
      from counted_match m
      join bank_content c on c.id = m.content and c.held_at is null and c.removed_at is null
      where m.at > v_since and (c.flood_since is null or m.at >= c.flood_since)
      group by m.content, c.created_at
      having count(distinct m.blob_cid) > v_blobs or count(distinct m.account) > v_accounts
    ) x
    cross join lateral (
      -- Ten minutes of the full hours of seven days, or of as many as the content has been there.
      select round(coalesce(sum(h.blobs), 0) / t.windows, 2) as blobs, round(coalesce(sum(h.accounts), 0) / t.windows, 2) as accounts
      from (select 6 * least(168, greatest(1, floor(extract(epoch from p_now - x.created_at) / 3600))) as windows) t
      left join content_hour h on h.content = x.content and h.hour >= p_now - interval '7 days'
      group by t.windows
    ) u
    where x.blobs > greatest(v_blobs, ceil(v_factor * u.blobs)) or x.accounts > greatest(v_accounts, ceil(v_factor * u.accounts))
    order by x.content
  loop
    perform hold_content(v_flood.content,
      jsonb_build_object('seconds', 600, 'blobs', v_flood.blobs, 'accounts', v_flood.accounts,
        'blobsMax', v_flood.blobs_max, 'accountsMax', v_flood.accounts_max,
        -- As texts: an entry has no fractions.
        'blobsUsual', v_flood.usual_blobs::text, 'accountsUsual', v_flood.usual_accounts::text),
      format('content %s matched %s blobs of %s accounts in ten minutes, and may match %s and %s (usual: %s and %s). '
        'Its matches are recorded and nothing is done by itself until bank resume, or bank disable, says so.',
        v_flood.content, v_flood.blobs, v_flood.accounts, v_flood.blobs_max, v_flood.accounts_max,
        v_flood.usual_blobs, v_flood.usual_accounts), p_now);
  end loop;
end $$;

-- Looks for floods, and names the contents held since it was last asked, each once.
create function watch_floods_v1(p jsonb) returns table (content integer, case_file integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  perform hold_floods(p->'limits', (p->>'now')::timestamptz);
  return query
    with told as (
      update bank_content c set flood_told_at = c.held_at
      where c.held_at is not null and c.flood_told_at is distinct from c.held_at
      returning c
    )
    select (t.c).id, f.id from told t left join case_file f on f.key = flood_key(t.c);
end $$;

-- Whoever leads the ledger lets actions go, oldest first, as far as limits permit; the rest waits and says why.
-- A reversal takes something back: no cap and no flood limit keeps it.
create or replace function release_actions(p_limits jsonb, p_now timestamptz) returns integer
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_action record;
  v_since timestamptz := p_now - interval '24 hours';
  v_takedowns integer;
  v_labels integer;
  v_flooded integer;
  v_released integer := 0;
  v_watched boolean := false;
  -- Asked once: with tens of thousands waiting, asking for each would hold up the ledger.
  v_paused boolean := exists (select from pause where resumed_at is null);
begin
  if not exists (select from action where state = 'planned' and intent_seq is not null) then
    return 0;
  end if;
  select
    (p_limits->>'takedownsPerDay')::integer - count(*) filter (where a.kind <> 'label'),
    (p_limits->>'labelsPerDay')::integer - count(*) filter (where a.kind = 'label')
  into v_takedowns, v_labels
  from action a where a.released_at > v_since and a.applied;

  if v_paused then
    update action a set waiting = 'paused'
    where a.state = 'planned' and a.intent_seq is not null and a.waiting is distinct from 'paused' and is_paused(a.id, a.kind);
    if exists (select from pause where resumed_at is null and scope = 'all') then
      return 0;
    end if;
  end if;

  -- What may not leave now is passed over in the query, so that it never stands in the way of what may.
  for v_action in
    select a.id, a.kind, a.applied, a.by_person, d.blob_cid
    from action a join decision d on d.id = a.decision
    where a.state = 'planned' and a.intent_seq is not null
      and (not a.applied or case when a.kind = 'label' then v_labels > 0 else v_takedowns > 0 end)
      and case when v_paused then not is_paused(a.id, a.kind) else true end
    order by a.applied, a.id limit 500 for no key update of a
  loop
    if v_action.applied and not v_action.by_person then
      -- Once, and only where something would leave by itself now.
      if not v_watched then
        perform hold_floods(p_limits, p_now);
        v_watched := true;
      end if;
      if not has_live_cause(v_action.id, p_now) or not still_counts(v_action.id) then
        update action set state = 'held', waiting = 'no-live-cause' where id = v_action.id;
        perform open_case(v_action.blob_cid, null, 'no-live-cause', p_now);
        perform ask_person(v_action.blob_cid);
        continue;
      end if;
      select ac.content into v_flooded from action_cause ac join bank_content c on c.id = ac.content
      where ac.action = v_action.id and (c.held_at is not null or (
        select count(*) from action_cause o
        where o.content = ac.content and o.released_at >= greatest(v_since, c.flood_since)
      ) >= (p_limits->>'actionsPerContent')::integer)
      order by c.held_at is null, ac.content limit 1;
      if found then
        perform hold_for_flood(v_action.id, v_action.blob_cid, v_flooded, p_limits, p_now);
        continue;
      end if;
    end if;
    if v_action.applied and v_action.kind = 'label' then
      continue when v_labels <= 0;
      v_labels := v_labels - 1;
    elsif v_action.applied then
      continue when v_takedowns <= 0;
      v_takedowns := v_takedowns - 1;
    end if;
    update action set state = 'released', waiting = null, released_at = p_now, next_at = p_now where id = v_action.id;
    update action_cause set released_at = p_now
    where action = v_action.id and v_action.applied and not v_action.by_person;
    v_released := v_released + 1;
  end loop;

  update action a set waiting = 'daily-cap'
  where a.state = 'planned' and a.intent_seq is not null and a.waiting is null and a.applied
    and case when a.kind = 'label' then v_labels <= 0 else v_takedowns <= 0 end;
  return v_released;
end $$;

-- A content is held, or caused more than it may: its action waits in the case of the flood.
create or replace function hold_for_flood(p_action bigint, p_cid bytea, p_content integer, p_limits jsonb, p_now timestamptz)
  returns void language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_case case_file;
begin
  perform hold_content(p_content, jsonb_build_object('limit', (p_limits->>'actionsPerContent')::integer),
    format('content %s caused %s actions in 24 hours, as many as it may. '
      'Its matches are recorded and nothing is done by itself until bank resume, or bank disable, says so.',
      p_content, p_limits->>'actionsPerContent'), p_now);
  update action set state = 'held', waiting = 'flood' where id = p_action;
  v_case := flood_case(p_content, p_cid, p_now);
  perform ask_person(p_cid);
  update decision d set case_file = v_case.id from action a
  where a.id = p_action and d.id = a.decision and d.case_file is null;
end $$;

-- What each content matched in each full hour of the last seven days, written once; what is older than eight days goes.
create function note_content_hours_v1(p jsonb) returns table (hours integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_last timestamptz := date_trunc('hour', v_now, 'UTC') - interval '1 hour';
  v_hour timestamptz;
begin
  hours := 0;
  for v_hour in
    select h from generate_series(v_last - interval '167 hours', v_last, interval '1 hour') h order by h
  loop
    insert into counts_noted (source, hour) values ('content', v_hour) on conflict do nothing;
    continue when not found;
    insert into content_hour (content, hour, blobs, accounts)
    select m.content, v_hour, count(distinct m.blob_cid), count(distinct m.account)
    from counted_match m where m.at >= v_hour and m.at < v_hour + interval '1 hour'
    group by m.content
    on conflict do nothing;
    hours := hours + 1;
  end loop;
  delete from content_hour h where h.hour < v_now - interval '8 days';
  return next;
end $$;

-- One page of a pass over stored signals: the blobs after p.after that were last matched before this generation, or only
-- those that ever matched (p.matchedOnly), when the change can only keep matches from counting or let them count again.
create function rematch_page_v2(p jsonb) returns table (
  cid text, pdq text, quality smallint, md5 text, sha1 text, variants jsonb
) language plpgsql stable security definer set search_path = blobwatch, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare
  v_after bytea := decode(coalesce(p->>'after', ''), 'hex');
  v_generation bigint := (p->>'generation')::bigint;
begin
  return query
    select encode(b.blob_cid, 'hex'), encode(b.pdq, 'hex'), b.quality, encode(b.md5, 'hex'), encode(b.sha1, 'hex'),
      coalesce((
        select jsonb_agg(jsonb_build_object('variant', v.variant, 'hash', encode(v.pdq, 'hex'), 'quality', v.quality))
        from blob_variant v where v.blob_cid = b.blob_cid), '[]')
    from blob b
    where b.blob_cid > v_after and b.bank_generation < v_generation
      and (not coalesce((p->>'matchedOnly')::boolean, false) or b.blob_cid in (
        select m.blob_cid from match m where m.blob_cid > v_after))
    order by b.blob_cid
    limit (p->>'limit')::integer;
end $$;

-- Records a page of a pass: raises the jobs, moves the position, and ends the pass when it was the last page.
create or replace function rematch_advance_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_key bytea := int8send((p->>'generation')::bigint);
  v_found jsonb;
  v_cid bytea;
  v_scanned bigint;
begin
  perform 1 from job j where j.kind = 'rematch' and j.key = v_key and j.lease_token = (p->>'token')::uuid for update;
  if not found then
    return query select 'lost';
    return;
  end if;
  -- What counted in the last scan by the same signal was decided then; what counted before that one only (the content was
  -- disabled meanwhile) was not decided for what came by since. What counts no longer is only written down.
  for v_found in select m from jsonb_array_elements(p->'matched') m order by m->>'cid' loop
    v_cid := decode(v_found->>'cid', 'hex');
    v_scanned := (select b.bank_generation from blob b where b.blob_cid = v_cid);
    if exists (
      select from jsonb_array_elements_text(v_found->'signals') s
      where not exists (
        select from match m where m.blob_cid = v_cid and m.signal = s::integer and m.set_aside is null
          and m.bank_generation >= coalesce(v_scanned, 0))
    ) then
      perform raise_scan_job(v_cid, 'bank-change', (p->>'generation')::bigint, v_now);
    elsif exists (
      select from jsonb_array_elements_text(coalesce(v_found->'setAside', '[]')) s
      join match m on m.blob_cid = v_cid and m.signal = s::integer
      where m.set_aside is null
    ) then
      perform raise_scan_job(v_cid, 'bank-change', null, v_now);
    end if;
  end loop;
  if (p->>'done')::boolean then
    delete from job j where j.kind = 'rematch' and j.key = v_key;
    return query select 'done';
  else
    update job j set detail = j.detail || jsonb_build_object('after', p->>'after'),
      lease_until = v_now + make_interval(secs => (p->>'leaseSeconds')::double precision)
    where j.kind = 'rematch' and j.key = v_key;
    return query select 'more';
  end if;
end $$;

-- What a source brought in an hour and what became of it: blobs = clear + matched + unscannable + open.
-- scanned: the bytes were had, whatever came of them. lowQuality: pictures compared by their digests alone.
create or replace function note_counts_v1(p jsonb) returns table (result jsonb)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_from timestamptz := (p->>'from')::timestamptz;
  v_to timestamptz := v_from + interval '1 hour';
  v_counts jsonb;
begin
  if v_to <= (select created_at from deployment) then
    return;
  end if;
  -- An hour is written once, whoever asks: the idempotency key of an intake row goes with the row.
  insert into counts_noted (source, hour) values (p->>'source', v_from) on conflict do nothing;
  if not found then
    return;
  end if;
  with seen as (
    select s.blob_cid, count(*) as n from sighting s
    where s.at >= v_from and s.at < v_to and s.source = (p->>'source')::source_kind group by s.blob_cid
  ), found as (
    select seen.n, b.verdict, b.reason, b.coverage, b.quality < 50 and not exists (
      select from blob_variant v where v.blob_cid = seen.blob_cid) as low_quality
    from seen left join blob b on b.blob_cid = seen.blob_cid
  )
  select jsonb_build_object(
    'source', p->>'source', 'from', v_from, 'to', v_to,
    'seen', coalesce(sum(f.n), 0), 'blobs', count(*),
    'scanned', count(*) filter (where f.coverage & 2 > 0),
    'lowQuality', count(*) filter (where f.low_quality),
    'clear', count(*) filter (where f.verdict = 'clear'),
    'matched', count(*) filter (where f.verdict = 'matched'),
    'unscannable', count(*) filter (where f.verdict = 'unscannable'),
    'unscannableBy', (select coalesce(jsonb_object_agg(r.reason, r.n), '{}')
      from (select reason, count(*) as n from found where verdict = 'unscannable' group by reason) r),
    'open', count(*) filter (where f.verdict is null),
    'openGaps', (select count(*) from ingest_gap g where g.source = p->>'source' and g.closed_at is null),
    'backlog', (select count(*) from job j where j.kind = 'scan'))
  into v_counts from found f;
  perform note_v1('counts', '{"kind":"system"}', v_counts, null, null, null, null,
    'counts:' || (p->>'source') || ':' || extract(epoch from v_from)::bigint, v_now);
  return query select v_counts;
end $$;
