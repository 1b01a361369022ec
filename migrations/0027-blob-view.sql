-- What an AppView asks: what to do with a blob of an account, and which blobs to ask about anew.

-- The newest decision of a place first: an account may have posted one picture ten thousand times.
create index decision_place on decision (blob_cid, account, id);
drop index decision_blob;
-- Whether a scan of a blob waits: the one index that can answer it, so that a plan made on an empty table takes it too.
create index job_blob on job (blob_key(key));

-- Does anything of this kind stand against the blob in the account, or against a record of it that carries the blob?
-- p_states: of the action. What was taken back since does not stand.
create function stands_against(p_account bigint, p_cid bytea, p_label boolean, p_states text[]) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from (
      select s.id from subject s
      where s.kind = 'blob' and s.account = p_account and s.blob_cid = p_cid and s.collection is null and s.rkey is null
      union all
      select d.subject from decision d where d.blob_cid = p_cid and d.account = p_account and d.collection is not null
    ) t
    join action a on a.subject = t.id and a.applied and (a.kind = 'label') = p_label and a.state = any (p_states)
    where not exists (
      select from action r
      where r.subject = a.subject and r.kind = a.kind and r.revision > a.revision and not r.applied
        and r.detail->>'val' is not distinct from a.detail->>'val' and r.state not in ('refused', 'dead', 'superseded')
    )
  )
$$;

-- 'state:reason' of a blob that has a case. p_account null: nobody we know, so what is known of the bytes.
create function state_in_case(p_account bigint, p_cid bytea, p_state text) returns text
  language plpgsql stable set search_path = blobwatch, pg_temp as $$
declare
  v_standing text;
  v_last text;
begin
  if p_state in ('released', 'overturned') then
    return 'show:released';
  end if;
  if p_account is not null then
    select s.standing into v_standing from subject s
    where s.kind = 'blob' and s.account = p_account and s.blob_cid = p_cid and s.collection is null and s.rkey is null;
    select d.outcome into v_last from decision d
    where d.blob_cid = p_cid and d.account = p_account order by d.id desc limit 1;
  end if;
  -- A person let it go in this account; only a bank that they did not have before them asks again.
  if v_standing = 'released-by-person' and not (p_state = 'open' and v_last = 'held') then
    return 'show:released';
  end if;
  if p_state = 'confirmed' then
    return 'hide:confirmed';
  end if;
  if v_last is null then
    return case p_state when 'open' then 'blur:held' else 'blur:matched' end;
  end if;
  if stands_against(p_account, p_cid, false, '{released,sending,done,refused,dead}') then
    return 'hide:taken-down';
  end if;
  if p_state = 'open' and exists (
    select from decision d where d.blob_cid = p_cid and d.account = p_account and d.outcome in ('held', 'acted')
  ) then
    return 'blur:held';
  end if;
  if p_state = 'acted' and stands_against(p_account, p_cid, false, '{held,planned}') then
    return 'blur:waiting';
  end if;
  if p_state = 'acted' and stands_against(p_account, p_cid, true, '{planned,released,sending,done}') then
    return 'blur:labelled';
  end if;
  return case v_last when 'observed' then 'show:observed' else 'show:released' end;
end $$;

-- Without a search_path, so that queries take it in.
create function blob_state(p_account bigint, p_cid bytea) returns table (state text, reason text, since timestamptz)
  language sql stable as $$
  select split_part(v.said, ':', 1), nullif(split_part(v.said, ':', 2), ''),
    case when c.id is null or v.said = 'show:clear' or v.said like 'unscan%' then b.hashed_at when c.state in ('open', 'acted') then c.opened_at else c.decided_at end
  from (select 1) one
  left join blob b on b.blob_cid = p_cid
  left join case_blob cb on cb.blob_cid = p_cid
  left join case_file c on c.id = cb.case_file
  cross join lateral (
    select case
      -- What a program asked a person to look at is no match, and changes nothing before somebody decides.
      when c.id is not null and (
        c.state in ('confirmed', 'released', 'overturned') or b.verdict = 'matched'
        or exists (select from decision d where d.blob_cid = p_cid)
      ) then state_in_case(p_account, p_cid, c.state)
      when b.verdict = 'clear' then 'show:clear'
      when b.verdict = 'unscannable' then 'unscannable:' || b.reason
      when b.verdict = 'matched' then case
        when exists (select from decision d where d.blob_cid = p_cid) then 'show:observed' else 'unscanned:undecided' end
      when exists (
        -- Written so that no other index can serve it, nor its primary key alone.
        select from job j
        where blob_key(j.key) = blob_key(p_cid) and j.key || '' = p_cid and j.kind || '' = 'scan' and j.generation > 0
      ) then 'unscanned:waiting'
      else 'unscanned:unknown' end as said
  ) v
$$;

-- Pairs of a CID's digest in hex and a DID, answered in their order. The settings stand for statistics: a plan that a
-- connection made while the tables were empty is as good as any, and planning anew would cost more than the answer.
create function blob_states_v1(p_cids text[], p_dids text[])
  returns table (n integer, state text, reason text, since timestamptz)
  language plpgsql stable security definer set search_path = blobwatch, pg_temp
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return query
    select x.n::integer, f.state, f.reason, f.since
    from unnest(p_cids, p_dids) with ordinality x(cid, did, n)
    -- Not joined: a plan of an empty table would read all accounts.
    cross join lateral (select (select a.id from account a where a.did = x.did) offset 0) o(account)
    cross join lateral blob_state(o.account, decode(x.cid, 'hex')) f
    order by x.n;
end $$;

-- Which blobs to ask about anew. Whoever changes something leaves a row here, in the same statement. account null: all
-- accounts that have no row of their own.
create table blob_change_intake (
  id bigint generated always as identity primary key,
  account bigint,
  blob_cid bytea not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
-- The same, numbered by one writer at a time: numbers become visible in their order, which an identity's do not.
create table blob_change (
  seq bigint primary key,
  at timestamptz not null,
  account bigint,
  blob_cid bytea not null
);
create index blob_change_at on blob_change using brin (at);
-- through: the last number that is no longer kept.
create table blob_change_head (
  one boolean primary key default true check (one),
  seq bigint not null default 0,
  through bigint not null default 0,
  timeline text
);
insert into blob_change_head default values;

create function subject_changed() returns trigger language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into blob_change_intake (account, blob_cid)
  select new.account, new.blob_cid where new.kind = 'blob'
  union
  select d.account, d.blob_cid from decision d where new.kind = 'record' and d.subject = new.id;
  return null;
end $$;
create trigger subject_told after update on subject for each row
  when (old.standing is distinct from new.standing) execute function subject_changed();

create function action_changed() returns trigger language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into blob_change_intake (account, blob_cid)
  select s.account, s.blob_cid from subject s where s.id = new.subject and s.kind = 'blob'
  union
  select d.account, d.blob_cid from decision d where d.id = new.decision
  union
  select d.account, d.blob_cid from subject s join decision d on d.subject = s.id
  where s.id = new.subject and s.kind = 'record';
  return null;
end $$;
create trigger action_told after update on action for each row when (
  old.state is distinct from new.state and not (
    old.state in ('released', 'sending', 'done', 'refused', 'dead') and new.state in ('released', 'sending', 'done', 'refused', 'dead')
    and new.applied and new.kind <> 'label')
) execute function action_changed();
create trigger action_made_told after insert on action for each row execute function action_changed();

create function decision_made() returns trigger language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into blob_change_intake (account, blob_cid) values (new.account, new.blob_cid);
  return null;
end $$;
create trigger decision_told after insert on decision for each row execute function decision_made();

create function tell_blobs_of_case(p_case integer) returns void
  language sql set search_path = blobwatch, pg_temp as $$
  insert into blob_change_intake (account, blob_cid)
  select null, cb.blob_cid from case_blob cb where cb.case_file = p_case
  union all
  select distinct d.account, d.blob_cid from case_blob cb join decision d on d.blob_cid = cb.blob_cid where cb.case_file = p_case
$$;
create function case_changed() returns trigger language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  perform tell_blobs_of_case(new.id);
  return null;
end $$;
create trigger case_told after update on case_file for each row
  when (old.state is distinct from new.state) execute function case_changed();

create function case_gained() returns trigger language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into blob_change_intake (account, blob_cid)
  select null, new.blob_cid
  union all
  select distinct d.account, d.blob_cid from decision d where d.blob_cid = new.blob_cid;
  return null;
end $$;
create trigger case_blob_told after insert on case_blob for each row execute function case_gained();

create function blob_changed() returns trigger language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into blob_change_intake (account, blob_cid) values (null, new.blob_cid);
  return null;
end $$;
-- Most blobs are clear: nobody is told.
create trigger blob_made_told after insert on blob for each row
  when (new.verdict <> 'clear') execute function blob_changed();
create trigger blob_told after update on blob for each row
  when ((old.verdict, old.reason) is distinct from (new.verdict, new.reason)) execute function blob_changed();

-- Numbers what waits, up to p.limit. p: limit, now. more: something still waits. On another history of the database numbers
-- above may have been given out: it jumps beyond any of them, and who followed the other one is told so.
create function number_changes_v1(p jsonb) returns table (seq bigint, more boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_limit integer := (p->>'limit')::integer;
  v_line text := ledger_timeline();
  v_moved integer;
begin
  if not exists (select from blob_change_intake) and exists (select from blob_change_head h where h.timeline = v_line) then
    return query select h.seq, false from blob_change_head h;
    return;
  end if;
  select h.seq into seq from blob_change_head h for update;
  update blob_change_head h set timeline = v_line where h.timeline is null;
  update blob_change_head h set timeline = v_line, seq = greatest(h.seq + 1, (extract(epoch from v_now) * 1000)::bigint),
    through = greatest(h.seq + 1, (extract(epoch from v_now) * 1000)::bigint)
  where h.timeline <> v_line;
  select h.seq into seq from blob_change_head h;
  with moved as (
    delete from blob_change_intake i where i.id in (select w.id from blob_change_intake w order by w.id limit v_limit)
    returning i.id, i.account, i.blob_cid
  ), last as (
    select distinct on (m.blob_cid, m.account) m.id, m.account, m.blob_cid from moved m order by m.blob_cid, m.account, m.id desc
  ), numbered as (
    insert into blob_change (seq, at, account, blob_cid)
    select number_changes_v1.seq + row_number() over (order by l.id), v_now, l.account, l.blob_cid from last l
    returning 1
  )
  select (select count(*) from numbered), (select count(*) from moved) = v_limit into v_moved, more;
  update blob_change_head h set seq = h.seq + v_moved returning h.seq into seq;
  return next;
end $$;

-- Of each the state as it is now, whatever it was when the row was written. did null beside an account: erased since.
create function blob_changes_v1(p_after bigint, p_limit integer)
  returns table (seq bigint, account bigint, did text, cid text, unsupported text, state text, reason text, since timestamptz)
  language plpgsql stable security definer set search_path = blobwatch, pg_temp
  set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return query
    select c.seq, c.account, a.did, encode(c.blob_cid, 'hex'), u.cid, f.state, f.reason, f.since
    from blob_change c
    left join account a on a.id = c.account
    left join cid_unsupported u on u.blob_cid = c.blob_cid
    cross join lateral blob_state(c.account, c.blob_cid) f
    where c.seq > p_after order by c.seq limit p_limit;
end $$;

-- p: before, limit. Oldest first.
create function drop_changes_v1(p jsonb) returns table (dropped integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_through bigint;
begin
  select max(o.seq) into v_through
  from (select c.seq, c.at from blob_change c order by c.seq limit (p->>'limit')::integer) o
  where o.at < (p->>'before')::timestamptz;
  if v_through is null then
    return query select 0;
    return;
  end if;
  update blob_change_head h set through = greatest(h.through, v_through);
  delete from blob_change c where c.seq <= v_through;
  get diagnostics dropped = row_count;
  return next;
end $$;

-- Requests that would do something twice, by the caller's own key: begun before anything is done, answered after it.
create table api_request (
  principal integer not null references principal,
  key text not null,
  -- sha2-256 of method, path with its query, and body: the same key for something else is a mistake.
  request bytea not null,
  at timestamptz not null,
  status integer,
  answer text,
  primary key (principal, key)
);
create index api_request_at on api_request (at);

-- p: principal, key, request, now. begun: this call does it. Else what came of it; status null: nobody knows yet.
create function begin_request_v1(p jsonb) returns table (begun boolean, same boolean, status integer, answer text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  insert into api_request (principal, key, request, at)
  values ((p->>'principal')::integer, p->>'key', decode(p->>'request', 'hex'), (p->>'now')::timestamptz)
  on conflict (principal, key) do nothing;
  if found then
    return query select true, true, null::integer, null::text;
    return;
  end if;
  return query select false, r.request = decode(p->>'request', 'hex'), r.status, r.answer
    from api_request r where r.principal = (p->>'principal')::integer and r.key = p->>'key';
end $$;

-- p: principal, key, status, answer.
create function end_request_v1(p jsonb) returns table (ended boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  update api_request r set status = (p->>'status')::integer, answer = p->>'answer'
  where r.principal = (p->>'principal')::integer and r.key = p->>'key' and r.status is null;
  return query select found;
end $$;

-- p: before.
create function drop_requests_v1(p jsonb) returns table (dropped integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  delete from api_request r where r.at < (p->>'before')::timestamptz;
  get diagnostics dropped = row_count;
  return next;
end $$;
