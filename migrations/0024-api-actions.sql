-- What programs ask for through the API: matches that they were told of, actions that they asked for, reports of users.

alter type source_kind add value 'api';

-- A match that a caller was told of. `asked` is sha2-256 of the type and value that was asked about: it proves what was
-- asked without saying it. The same question has the same id while it is kept.
create table api_match (
  id text primary key,
  principal integer not null references principal,
  type text not null,
  asked bytea not null,
  bank integer not null,
  content integer not null,
  distance smallint not null,
  at timestamptz not null,
  unique (principal, asked, content)
);
create index api_match_at on api_match (at);

-- An action that a caller asked for, by the caller's own id. `body`: sha2-256 of what was asked for under that id.
create table api_action (
  id bigint generated always as identity primary key,
  principal integer not null references principal,
  action_id text not null,
  body bytea not null,
  kind text not null check (kind in ('takedown', 'review', 'report_ncmec')),
  match_id text,
  -- What a person looks at, where one was asked for.
  case_file integer,
  at timestamptz not null,
  unique (principal, action_id)
);
create index api_action_at on api_action (at);
create table api_action_place (
  api_action bigint not null references api_action on delete cascade,
  account bigint not null,
  blob_cid bytea not null,
  collection text,
  rkey text,
  unique nulls not distinct (api_action, account, blob_cid, collection, rkey)
);
create index api_action_place_account on api_action_place (account);

-- What a user said about a content. Goes with the account that it is about, and after some weeks in any case.
create table user_report (
  id text primary key,
  principal integer not null references principal,
  account bigint,
  content_id text,
  reason text not null,
  at timestamptz not null
);
create index user_report_account on user_report (account);
create index user_report_at on user_report (at);

-- p: principal, now, matches: [{id, type, asked, bank, content, distance}], each (asked, content) once.
-- Gives the id under which each is known: an earlier one where the same was asked before.
create function note_api_matches_v1(p jsonb) returns table (asked text, content integer, id text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
begin
  insert into api_match as o (id, principal, type, asked, bank, content, distance, at)
  select m.id, v_principal, m.type, decode(m.asked, 'hex'), m.bank, m.content, m.distance, v_now
  from jsonb_to_recordset(p->'matches') as m(id text, type text, asked text, bank integer, content integer, distance smallint)
  order by m.asked, m.content
  on conflict (principal, asked, content) do nothing;
  -- In one order, so that two questions about the same never wait for each other.
  perform 1 from api_match o
  join jsonb_to_recordset(p->'matches') as m(asked text, content integer)
    on o.principal = v_principal and o.asked = decode(m.asked, 'hex') and o.content = m.content
  order by o.asked, o.content for no key update of o;
  -- Asked every second by somebody, it is written once an hour.
  update api_match o set at = v_now, bank = m.bank, distance = m.distance
  from jsonb_to_recordset(p->'matches') as m(asked text, bank integer, content integer, distance smallint)
  where o.principal = v_principal and o.asked = decode(m.asked, 'hex') and o.content = m.content
    and (o.at < v_now - interval '1 hour' or o.bank <> m.bank or o.distance <> m.distance);
  return query
  select m.asked, m.content, o.id
  from jsonb_to_recordset(p->'matches') as m(asked text, content integer)
  join api_match o on o.principal = v_principal and o.asked = decode(m.asked, 'hex') and o.content = m.content;
end $$;

-- The case that a person sees because a program asked for it: the blob's own, or, where a person has decided that one
-- already, a case of this request's own that says where the blob's is.
create function case_of_request(p_request api_action, p_cid bytea, p_reason text) returns case_file
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_blob case_file;
  v_case case_file;
begin
  v_blob := case_keyed(p_cid, 'blob:' || encode(p_cid, 'hex'), p_reason, p_request.at, 'open');
  v_case := v_blob;
  if v_blob.state = 'acted' then
    update case_file c set state = 'open' where c.id = v_blob.id returning * into v_case;
    perform note_v1('case.reopened', actor(p_request.principal), jsonb_build_object('case', v_case.id, 'reason', p_reason),
      null, null, null, null, 'case.reopened:' || v_case.id || ':request:' || p_request.id, p_request.at);
  elsif v_blob.state <> 'open' then
    v_case := case_keyed(null, 'request:' || p_request.id, p_reason, p_request.at, 'open');
  end if;
  insert into case_event (case_file, at, principal, event, note)
  values (v_case.id, p_request.at, p_request.principal, p_reason,
    case when v_case.id <> v_blob.id then 'the blob is in case ' || v_blob.id || ', which is ' || v_blob.state end);
  return v_case;
end $$;

-- An action that a caller asks for. Nothing is done here: each place becomes a sighting, and what follows from it is
-- decided like anything else that is seen. p: principal, actionId, body, kind, matchId, matchSince, places, batch (as
-- take_in_v1 takes it), now. `same`: asked for before in the same words; `conflict`: in other words.
create function request_action_v1(p jsonb) returns table (result text, kind text, case_file integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_request api_action;
  v_place record;
  v_case case_file;
  v_reason text;
begin
  insert into api_action as x (principal, action_id, body, kind, match_id, at)
  values ((p->>'principal')::integer, p->>'actionId', decode(p->>'body', 'hex'), p->>'kind', p->>'matchId', v_now)
  on conflict (principal, action_id) do nothing
  returning * into v_request;
  if not found then
    select * into v_request from api_action x
    where x.principal = (p->>'principal')::integer and x.action_id = p->>'actionId';
    return query select case when v_request.body = decode(p->>'body', 'hex') then 'same' else 'conflict' end,
      v_request.kind, v_request.case_file;
    return;
  end if;
  if p->>'matchId' is not null and not exists (
    select from api_match m
    where m.id = p->>'matchId' and m.principal = v_request.principal and m.at >= (p->>'matchSince')::timestamptz
  ) then
    raise exception 'match_info.match_id is no match that this server told this caller of in the last 30 days.' using errcode = 'BU001';
  end if;

  perform take_in_v1(p->'batch');
  insert into api_action_place (api_action, account, blob_cid, collection, rkey)
  select v_request.id, a.id, decode(s.cid, 'hex'), s.collection, s.rkey
  from jsonb_to_recordset(p#>'{batch,sightings}') as s(did text, cid text, collection text, rkey text)
  join account a on a.did = s.did
  on conflict do nothing;

  v_reason := case v_request.kind when 'review' then 'review-asked' when 'report_ncmec' then 'report-asked' end;
  if v_reason is not null then
    for v_place in
      select distinct x.blob_cid from api_action_place x where x.api_action = v_request.id order by x.blob_cid
    loop
      v_case := case_of_request(v_request, v_place.blob_cid, v_reason);
      update api_action x set case_file = coalesce(x.case_file, v_case.id) where x.id = v_request.id
      returning * into v_request;
    end loop;
  end if;

  for v_place in
    select row_number() over (order by x.account, x.blob_cid, x.collection, x.rkey) as n, x.*, a.did
    from api_action_place x join account a on a.id = x.account where x.api_action = v_request.id
  loop
    perform note_v1('action.requested', actor(v_request.principal),
      jsonb_strip_nulls(jsonb_build_object('request', v_request.id, 'kind', v_request.kind, 'match', v_request.match_id,
        'case', v_request.case_file)),
      jsonb_strip_nulls(jsonb_build_object('account', v_place.did, 'blob', encode(v_place.blob_cid, 'hex'),
        'record', case when v_place.collection is not null then v_place.collection || '/' || v_place.rkey end)),
      v_place.account, null, null, 'action.requested:' || v_request.id || ':' || v_place.n, v_now);
  end loop;
  return query select 'requested', v_request.kind, v_request.case_file;
end $$;

-- A user's report: kept for a person, and what it names becomes a sighting or an announced address. The same is written
-- whatever is known of it. p: id, principal, did, contentId, reason, batch, now.
create function report_user_v1(p jsonb) returns table (id text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := (p->>'now')::timestamptz;
begin
  perform take_in_v1(p->'batch');
  update job j set detail = j.detail || '{"source":"api"}'
  from jsonb_to_recordset(p#>'{batch,urls}') as u(did text, url text)
  where j.kind = 'url' and j.key = sha256(convert_to(u.did || ' ' || u.url, 'UTF8')) and j.created_at = v_now;
  insert into user_report (id, principal, account, content_id, reason, at)
  values (p->>'id', (p->>'principal')::integer, (select a.id from account a where a.did = p->>'did'), p->>'contentId',
    p->>'reason', v_now);
  perform note_v1('user-report.received', actor((p->>'principal')::integer), jsonb_build_object('report', p->>'id'),
    null, null, null, null, 'user-report:' || (p->>'id'), v_now);
  return query select p->>'id';
end $$;

-- As before, and: an address that came through the API says so.
create or replace function settle_url_v1(p jsonb) returns table (result text)
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
  values (v_now, (v_job.detail->>'account')::bigint, v_cid, coalesce(v_job.detail->>'source', 'webhook')::source_kind);
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

-- Who asks to be forgotten is forgotten here too, with what others wrote about them.
create function forget_requests() returns trigger language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  delete from user_report r where r.account = old.id;
  update user_report r set reason = replace(r.reason, old.did, '(erased)'), content_id = replace(r.content_id, old.did, '(erased)')
  where position(old.did in concat(r.reason, ' ', r.content_id)) > 0;
  with gone as (
    delete from api_action_place x where x.account = old.id returning x.api_action
  )
  delete from api_action a using (select distinct api_action from gone) g
  where a.id = g.api_action
    and not exists (select from api_action_place x where x.api_action = a.id and x.account <> old.id);
  -- The caller's own id may be made of the account's.
  delete from api_action a where position(old.did in a.action_id) > 0;
  return null;
end $$;
create trigger account_requests after update of erased_at on account for each row
  when (old.did is not null and new.erased_at is not null) execute function forget_requests();

-- p: before.
create function sweep_requests_v1(p jsonb) returns table (swept integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_before timestamptz := (p->>'before')::timestamptz;
  v_rows integer;
begin
  delete from api_match m where m.at < v_before;
  get diagnostics swept = row_count;
  delete from api_action a where a.at < v_before;
  get diagnostics v_rows = row_count;
  swept := swept + v_rows;
  delete from user_report r where r.at < v_before;
  get diagnostics v_rows = row_count;
  swept := swept + v_rows;
  return next;
end $$;
