-- Questions about restricted banks: each is an entry, and nobody may ask so many that the answers add up to a hash.

-- p: principal, now, contents (ids, at least one), perHour. One question, however many contents it is about.
create function explained_v1(p jsonb) returns table (asked integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_limit integer := (p->>'perHour')::integer;
  v_asked integer;
  v_oldest timestamptz;
begin
  -- One question at a time for each principal: two at once are counted as two.
  perform 1 from principal where id = v_principal for no key update;
  delete from explained e where e.principal = v_principal and e.at <= v_now - interval '1 hour';
  select count(*), min(e.at) into v_asked, v_oldest from explained e where e.principal = v_principal;
  if v_asked >= v_limit then
    raise exception 'questions about restricted banks are limited to % an hour; the next may be asked at %', v_limit,
      to_char((v_oldest + interval '1 hour') at time zone 'UTC', 'HH24:MI:SS"Z"') using errcode = 'BU001';
  end if;
  insert into explained (principal, at) values (v_principal, v_now);
  perform note_v1('explained', actor(v_principal), jsonb_build_object('contents', p->'contents'), null, null, null, null,
    'explained:' || v_principal || ':' || gen_random_uuid(), v_now);
  return query select v_asked + 1;
end $$;
