-- Keys that open the APIs: from where, how often, when last.

alter table api_key
  add column networks text[],
  add column requests_per_second integer check (requests_per_second > 0);

-- What opened no door yet keeps its meaning under the name that the APIs ask for.
update api_key set scopes = array_replace(scopes, 'action', 'act');

create or replace function change_key_v1(p jsonb) returns table (id text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
begin
  if p->>'op' = 'create' then
    insert into api_key (id, principal, secret_sha256, scopes, networks, requests_per_second, created_at, expires_at)
    values (p->>'id', (p->>'owner')::integer, decode(p->>'secretSha256', 'hex'),
      array(select jsonb_array_elements_text(p->'scopes')),
      case when p ? 'networks' then array(select jsonb_array_elements_text(p->'networks')) end,
      (p->>'requestsPerSecond')::integer, v_now, (p->>'expiresAt')::timestamptz);
  else
    update api_key k set revoked_at = v_now where k.id = p->>'id' and k.revoked_at is null;
    if not found then
      raise exception 'there is no live key %', p->>'id' using errcode = 'BU001';
    end if;
  end if;
  perform note_v1('key.' || (p->>'op'), actor((p->>'principal')::integer),
    jsonb_strip_nulls(jsonb_build_object('key', p->>'id', 'owner', p->'owner', 'scopes', p->'scopes', 'expires', p->>'expiresAt',
      'networks', p->'networks', 'requestsPerSecond', p->'requestsPerSecond')),
    null, null, null, null, 'key:' || (p->>'id') || ':' || (p->>'op'), v_now);
  return query select p->>'id';
end $$;

-- p: ids, now. Written once a minute for all keys that were used.
create function used_keys_v1(p jsonb) returns table (keys integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  update api_key k set last_used_at = (p->>'now')::timestamptz
  where k.id = any (array(select jsonb_array_elements_text(p->'ids')));
  get diagnostics keys = row_count;
  return next;
end $$;
