-- Smaller steps: other jobs, retries, deletions and erasure, hourly counts, keys.

create function claim_jobs_v1(p jsonb) returns table (key text, token uuid, attempts integer, crashes integer, detail jsonb, created_at timestamptz)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  with due as (
    select j.kind, j.key from job j
    where j.kind = p->>'kind' and j.next_at <= (p->>'now')::timestamptz
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

-- A job's end: freed for another try at p.until, or gone.
create function end_job_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  if p->>'until' is null then
    delete from job j where j.kind = p->>'kind' and j.key = decode(p->>'key', 'hex') and j.lease_token = (p->>'token')::uuid;
  else
    update job j set lease_token = null, lease_until = null, next_at = (p->>'until')::timestamptz, reason = p->>'reason'
    where j.kind = p->>'kind' and j.key = decode(p->>'key', 'hex') and j.lease_token = (p->>'token')::uuid;
  end if;
  return query select case when found then 'ended' else 'lost' end;
end $$;

-- The CID behind an announced address is known: it becomes a sighting and a scan job, and the announcement is done.
create function settle_url_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_cid bytea := decode(p->>'cid', 'hex');
  v_job job;
begin
  perform bank_generation_v1();
  delete from job j
  where j.kind = 'url' and j.key = decode(p->>'key', 'hex') and j.lease_token = (p->>'token')::uuid
  returning * into v_job;
  if not found then
    return query select 'lost';
    return;
  end if;
  insert into sighting (at, account, blob_cid, source)
  values (v_now, (v_job.detail->>'account')::bigint, v_cid, 'webhook');
  insert into blob_address (blob_cid, url, account, at)
  values (v_cid, v_job.detail->>'url', (v_job.detail->>'account')::bigint, v_now)
  on conflict do nothing;
  if v_job.detail->>'contentId' is not null then
    insert into webhook_content (endpoint, content_id, account, blob_cid, at)
    values (v_job.detail->>'endpoint', v_job.detail->>'contentId', (v_job.detail->>'account')::bigint, v_cid, v_now)
    on conflict (endpoint, content_id) do update set
      account = excluded.account, blob_cid = excluded.blob_cid, at = excluded.at;
  end if;
  perform raise_scan_job(v_cid, 'sighting', null, v_now);
  return query select 'settled';
end $$;

-- A person asks for unscannable blobs to be tried again. No p.cid: all of that reason, or all that a retry may help.
create function retry_unscannable_v1(p jsonb) returns table (raised integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_cid bytea;
  v_raised integer := 0;
begin
  for v_cid in
    select b.blob_cid from blob b
    where b.verdict = 'unscannable' and b.reason <> 'unsupported-cid'
      and (p->>'cid' is null or b.blob_cid = decode(p->>'cid', 'hex'))
      -- Without a reason only what another try may change: what the bytes are stays what they are.
      and case when p->>'reason' is not null then b.reason = p->>'reason'
        else p->>'cid' is not null or b.reason not in
          ('unsupported-format', 'unsupported-video', 'animated', 'empty', 'corrupt', 'too-many-pixels') end
      and not exists (select from job j where j.kind = 'scan' and j.key = b.blob_cid)
    order by b.blob_cid
    limit (p->>'limit')::integer
  loop
    delete from fetch_try t where t.blob_cid = v_cid;
    update blob b set md5 = null, sha1 = null where b.blob_cid = v_cid;
    perform raise_scan_job(v_cid, 'retry', null, v_now);
    v_raised := v_raised + 1;
  end loop;
  if v_raised > 0 then
    perform note_v1('unscannable.retried', actor((p->>'principal')::integer),
      jsonb_strip_nulls(jsonb_build_object('blobs', v_raised, 'reason', p->>'reason')),
      null, null, null, null, 'retry:' || gen_random_uuid(), v_now);
  end if;
  return query select v_raised;
end $$;

create function under_hold(p_account bigint) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from legal_hold h where h.lifted_at is null and h.account = p_account
  ) or exists (
    select from decision d
    join case_file c on c.id = d.case_file
    left join legal_hold h on h.case_file = c.id and h.lifted_at is null
    where d.account = p_account and (c.state = 'open' or h.id is not null)
  ) or exists (
    select from action a join subject s on s.id = a.subject
    where s.account = p_account and a.state in ('planned', 'released', 'sending')
  )
$$;

-- An account leaves: what names it goes. `waiting`: under a case, a legal hold or an action on its way; asked again later.
create function erase_account_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_account bigint := (p->>'account')::bigint;
  v_did text;
  v_action bigint;
  v_labels integer := 0;
begin
  select a.did into v_did from account a where a.id = v_account and a.did is not null for update;
  if not found then
    return query select 'erased';
    return;
  end if;
  if under_hold(v_account) then
    return query select 'waiting';
    return;
  end if;
  -- A label names the account for everyone who follows the stream: it is negated first.
  for v_action in
    select l.action_id from label l where l.account = v_account and not l.neg and l.action_id is not null
  loop
    perform withdraw_action(v_action, null, 'erasure', v_now);
    v_labels := v_labels + 1;
  end loop;
  if v_labels > 0 then
    return query select 'waiting';
    return;
  end if;
  delete from sighting s where s.account = v_account;
  delete from webhook_content w where w.account = v_account;
  delete from ingest_gap g where g.account = v_account;
  delete from blob_address b where b.account = v_account;
  delete from job j where j.kind = 'url' and (j.detail->>'account')::bigint = v_account;
  -- A frame that nobody could read may still spell the name; that there was one stays.
  update frame_undecodable f set bytes = '' where position(convert_to(v_did, 'UTF8') in f.bytes) > 0;
  delete from ledger_private l where l.account = v_account;
  update ledger_intake i set private = '{}' where i.account = v_account;
  update account a set did = null, identity_at = null, erased_at = v_now where a.id = v_account;
  perform note_v1('account.erased', coalesce(actor((p->>'principal')::integer), '{"kind":"system"}'),
    jsonb_build_object('account', v_account, 'basis', p->>'basis'), null, null, null, null, 'erased:' || v_account, v_now);
  return query select 'erased';
end $$;

-- Deletions seen on the network, a batch after p.after at a time; through: the last one looked at, null at the end.
-- A decision has its own copy of the facts, so a sighting may go.
create function work_removals_v1(p jsonb) returns table (records integer, accounts integer, waiting integer, through bigint)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_r removal;
  v_result text;
begin
  records := 0; accounts := 0; waiting := 0;
  for v_r in
    select * from removal r where r.id > coalesce((p->>'after')::bigint, 0) order by r.id
    limit (p->>'limit')::integer for update skip locked
  loop
    through := v_r.id;
    if v_r.collection is not null then
      delete from sighting s
      where s.account = v_r.account and s.collection = v_r.collection and s.rkey = v_r.rkey
        and s.at <= v_r.at and (s.rev is null or v_r.rev is null or s.rev <= v_r.rev);
      update subject s set observed = 'deleted', observed_at = v_now
      where s.kind = 'record' and s.account = v_r.account and s.collection = v_r.collection and s.rkey = v_r.rkey;
      delete from removal r where r.id = v_r.id;
      records := records + 1;
    else
      select e.result into v_result from erase_account_v1(
        jsonb_build_object('account', v_r.account, 'basis', 'account deleted', 'now', v_now)) e;
      if v_result = 'erased' then
        delete from removal r where r.id = v_r.id;
        accounts := accounts + 1;
      else
        waiting := waiting + 1;
      end if;
    end if;
  end loop;
  return next;
end $$;

-- What a source brought in an hour and what became of it: blobs = clear + matched + unscannable + open.
-- scanned: the bytes were had, whatever came of them.
create function note_counts_v1(p jsonb) returns table (result jsonb)
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
    select seen.n, b.verdict, b.reason, b.coverage from seen left join blob b on b.blob_cid = seen.blob_cid
  )
  select jsonb_build_object(
    'source', p->>'source', 'from', v_from, 'to', v_to,
    'seen', coalesce(sum(f.n), 0), 'blobs', count(*),
    'scanned', count(*) filter (where f.coverage & 2 > 0),
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

-- p: op (create | revoke), id, secretSha256, scopes, expiresAt, owner (principal id), principal, now.
create function change_key_v1(p jsonb) returns table (id text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
begin
  if p->>'op' = 'create' then
    insert into api_key (id, principal, secret_sha256, scopes, created_at, expires_at)
    values (p->>'id', (p->>'owner')::integer, decode(p->>'secretSha256', 'hex'),
      array(select jsonb_array_elements_text(p->'scopes')), v_now, (p->>'expiresAt')::timestamptz);
  else
    update api_key k set revoked_at = v_now where k.id = p->>'id' and k.revoked_at is null;
    if not found then
      raise exception 'there is no live key %', p->>'id' using errcode = 'BU001';
    end if;
  end if;
  perform note_v1('key.' || (p->>'op'), actor((p->>'principal')::integer),
    jsonb_strip_nulls(jsonb_build_object('key', p->>'id', 'owner', p->'owner', 'scopes', p->'scopes', 'expires', p->>'expiresAt')),
    null, null, null, null, 'key:' || (p->>'id') || ':' || (p->>'op'), v_now);
  return query select p->>'id';
end $$;

-- A person tries a dead or refused action again: a new revision, with its own intent and result.
create function retry_action_v1(p jsonb) returns table (action bigint)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_a action;
  v_new bigint;
  v_revision integer;
begin
  select * into v_a from action a where a.id = (p->>'action')::bigint for update;
  if not found or v_a.state not in ('dead', 'refused') then
    raise exception 'there is no dead or refused action %', p->>'action' using errcode = 'BU001';
  end if;
  if exists (
    select from action o where o.subject = v_a.subject and o.kind = v_a.kind and o.revision > v_a.revision
      and o.detail->>'val' is not distinct from v_a.detail->>'val'
  ) then
    raise exception 'action % was followed by a newer one', v_a.id using errcode = 'BU001';
  end if;
  select max(a.revision) + 1 into v_revision from action a where a.subject = v_a.subject and a.kind = v_a.kind;
  insert into action (decision, subject, kind, applied, undoes, revision, idem, state, by_person, detail, created_at)
  values (v_a.decision, v_a.subject, v_a.kind, v_a.applied, v_a.undoes, v_revision,
    v_a.kind || ':' || v_a.subject || ':' || v_revision, 'planned', true, v_a.detail, v_now)
  returning id into v_new;
  insert into action_cause (action, content) select v_new, c.content from action_cause c where c.action = v_a.id;
  perform note_intent(v_new, v_now);
  perform note_v1('action.retried', actor((p->>'principal')::integer),
    jsonb_build_object('action', v_new, 'before', v_a.id), null, null, null, null, 'retried:' || v_new, v_now);
  return query select v_new;
end $$;

-- A fact about the service itself (start, stop, limits in force) as an entry.
create function note_fact_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  perform note_v1(p->>'type', coalesce(p->'actor', '{"kind":"system"}'), p->'pub', p->'private', null, null, null,
    p->>'idem', (p->>'now')::timestamptz);
  return query select 'noted';
end $$;

-- The deployment's name and the fingerprint of its data key; made once, returned ever after.
create function deployment_v1(p jsonb) returns table (id text, data_key_id text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into deployment (id, data_key_id, created_at) values (p->>'id', p->>'dataKeyId', (p->>'now')::timestamptz)
  on conflict (one) do nothing;
  return query select d.id, d.data_key_id from deployment d;
end $$;

-- An account's records were set without commits that we could have read: known to be unseen until a sweep.
create function note_resync_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into account (did) values (p->>'did') on conflict (did) do nothing;
  insert into ingest_gap (source, host, reason, account, at)
  select 'firehose', p->>'host', 'repo-resync', a.id, (p->>'now')::timestamptz
  from account a
  where a.did = p->>'did' and not exists (
    select from ingest_gap g where g.account = a.id and g.reason = 'repo-resync' and g.closed_at is null
  );
  return query select 'noted';
end $$;
