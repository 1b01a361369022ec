-- Step take_in: a batch from a source becomes durable together with the cursor that passed it. No move, no rows.

-- Held shared while sightings or scans are written, exclusively while a bank changes: a pass over stored signals that
-- starts after the change then misses nothing that was matched with the banks of before.
create function bank_lock_key() returns bigint language sql immutable return 7310402817001;

create function bank_generation_v1() returns bigint
  language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  perform pg_advisory_xact_lock_shared(bank_lock_key());
  return (select generation from bank_head);
end $$;

create function raise_scan_job(p_cid bytea, p_reason text, p_retro bigint, p_now timestamptz) returns void
  language sql set search_path = blobwatch, pg_temp as $$
  insert into job (kind, key, next_at, reason, retro, created_at)
  values ('scan', p_cid, p_now, p_reason, p_retro, p_now)
  on conflict (kind, key) do update set
    generation = job.generation + 1,
    next_at = least(job.next_at, excluded.next_at),
    retro = greatest(job.retro, excluded.retro)
$$;

create function take_in_v1(p jsonb) returns table (result text, sightings integer, jobs integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_source text := p->>'source';
  v_host text := p->>'host';
  v_generation bigint := bank_generation_v1();
  v_sightings integer := 0;
  v_jobs integer := 0;
begin
  if p->'cursor' is not null then
    update cursor c set
      position = (p#>>'{cursor,to}')::bigint,
      event_time = coalesce((p#>>'{cursor,eventTime}')::timestamptz, c.event_time),
      updated_at = v_now
    where c.source = v_source and c.host = v_host
      and c.epoch = (p#>>'{cursor,epoch}')::bigint
      and c.position is not distinct from (p#>>'{cursor,from}')::bigint;
    if not found then
      return query select 'fenced', 0, 0;
      return;
    end if;
  end if;

  if p->'delivery' is not null then
    insert into webhook_seen (endpoint, webhook_id, at)
    values (p#>>'{delivery,endpoint}', p#>>'{delivery,id}', v_now)
    on conflict do nothing;
    if not found then
      return query select 'duplicate', 0, 0;
      return;
    end if;
  end if;

  insert into account (did)
  select distinct s.did
  from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(did text)
  where not exists (select from account a where a.did = s.did)
  order by s.did
  on conflict (did) do nothing;

  insert into account (did)
  select distinct u.did
  from jsonb_to_recordset(coalesce(p->'urls', '[]')) as u(did text)
  where not exists (select from account a where a.did = u.did)
  order by u.did
  on conflict (did) do nothing;

  insert into sighting (at, account, source, blob_cid, record_cid, collection, rkey, rev)
  select v_now, a.id, v_source::source_kind, decode(s.cid, 'hex'), decode(s."recordCid", 'hex'), s.collection, s.rkey, s.rev
  from jsonb_to_recordset(coalesce(p->'sightings', '[]'))
    as s(did text, cid text, "recordCid" text, collection text, rkey text, rev text)
  join account a on a.did = s.did;
  get diagnostics v_sightings = row_count;

  if p#>>'{delivery,contentId}' is not null then
    insert into webhook_content (endpoint, content_id, account, blob_cid, at)
    select p#>>'{delivery,endpoint}', p#>>'{delivery,contentId}', a.id, decode(s.cid, 'hex'), v_now
    from jsonb_to_recordset(p->'sightings') as s(did text, cid text)
    join account a on a.did = s.did
    limit 1
    on conflict (endpoint, content_id) do update set
      account = excluded.account, blob_cid = excluded.blob_cid, at = excluded.at;
  end if;

  -- A reference that names no bytes we could verify is settled here: there is nothing to fetch.
  insert into cid_unsupported (blob_cid, cid, at)
  select distinct on (s.cid) decode(s.cid, 'hex'), s.unsupported, v_now
  from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(cid text, unsupported text)
  where s.unsupported is not null
  order by s.cid
  on conflict do nothing;
  insert into blob (blob_cid, hashed_at, bank_generation, coverage, verdict, reason)
  select distinct on (s.cid) decode(s.cid, 'hex'), v_now, v_generation, 0, 'unscannable', 'unsupported-cid'
  from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(cid text, unsupported text)
  where s.unsupported is not null
  order by s.cid
  on conflict do nothing;

  -- No job for a blob whose bytes were had (md5 is known), which matched nothing, with the banks of now.
  insert into job (kind, key, next_at, reason, created_at)
  select 'scan', d.cid, v_now, 'sighting', v_now
  from (
    select distinct decode(s.cid, 'hex') as cid
    from jsonb_to_recordset(coalesce(p->'sightings', '[]')) as s(cid text, unsupported text)
    where s.unsupported is null
  ) d
  where not exists (
    select from blob b
    where b.blob_cid = d.cid and b.verdict <> 'matched' and b.md5 is not null and b.bank_generation >= v_generation
  )
  order by d.cid
  on conflict (kind, key) do update set
    generation = job.generation + 1,
    next_at = least(job.next_at, excluded.next_at);
  get diagnostics v_jobs = row_count;

  insert into job (kind, key, next_at, reason, detail, created_at)
  select 'url', sha256(convert_to(u.did || ' ' || u.url, 'UTF8')), v_now, 'announced',
    jsonb_build_object('account', a.id, 'url', u.url, 'endpoint', p#>>'{delivery,endpoint}', 'contentId', u."contentId"), v_now
  from jsonb_to_recordset(coalesce(p->'urls', '[]')) as u(did text, url text, "contentId" text)
  join account a on a.did = u.did
  on conflict (kind, key) do update set generation = job.generation + 1, next_at = least(job.next_at, excluded.next_at);

  insert into frame_undecodable (source, host, seq, bytes, error, at)
  select v_source, v_host, f.seq, decode(f.bytes, 'base64'), f.error, v_now
  from jsonb_to_recordset(coalesce(p->'undecodable', '[]')) as f(seq bigint, bytes text, error text);

  insert into ingest_gap (source, host, reason, from_seq, to_seq, from_time, to_time, at)
  select v_source, v_host, g.reason, g."fromSeq", g."toSeq", g."fromTime", g."toTime", v_now
  from jsonb_to_recordset(coalesce(p->'gaps', '[]'))
    as g(reason text, "fromSeq" bigint, "toSeq" bigint, "fromTime" timestamptz, "toTime" timestamptz);

  -- Only accounts that we hold something about: most deletions on the network are of records we never saw.
  insert into removal (account, collection, rkey, rev, at)
  select a.id, r.collection, r.rkey, r.rev, v_now
  from jsonb_to_recordset(coalesce(p->'recordDeletes', '[]')) as r(did text, collection text, rkey text, rev text)
  join account a on a.did = r.did;

  update account a set status = s.status, status_at = v_now
  from jsonb_to_recordset(coalesce(p->'accounts', '[]')) as s(did text, status text)
  where a.did = s.did;
  insert into removal (account, at)
  select a.id, v_now
  from jsonb_to_recordset(coalesce(p->'accounts', '[]')) as s(did text, status text)
  join account a on a.did = s.did
  where s.status = 'deleted';

  update account a set identity_at = v_now
  from jsonb_array_elements_text(coalesce(p->'identities', '[]')) as d(did)
  where a.did = d.did;

  return query select 'taken', v_sightings, v_jobs;
end $$;

-- The fence: whoever takes the lead raises the epoch, and every batch of an earlier leader is refused.
create function lead_cursor_v1(p jsonb) returns table (epoch bigint, "position" bigint, event_time timestamptz)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  insert into cursor (source, host, epoch, updated_at)
  values (p->>'source', p->>'host', 1, (p->>'now')::timestamptz)
  on conflict (source, host) do update set epoch = cursor.epoch + 1, updated_at = excluded.updated_at
  returning cursor.epoch, cursor.position, cursor.event_time
$$;
