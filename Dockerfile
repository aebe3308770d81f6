# syntax=docker/dockerfile:1
# One image for every process: the argument says which (`skein feed`, `skein migrate`; tools/containers/role.ts has all).
# Node runs the source as it is, so nothing is built. The base is pinned by version; pin it by digest where you mirror it.
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS packages
WORKDIR /skein
COPY package.json package-lock.json .npmrc ./
# Not what tests and checks need, and nobody's install scripts.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-bookworm-slim
ENV NODE_ENV=production
WORKDIR /skein
COPY --from=packages /skein/node_modules ./node_modules
COPY package.json ./
COPY gen ./gen
COPY lib ./lib
COPY services ./services
COPY bff ./bff
COPY infra ./infra
COPY tools ./tools
# A fresh volume mounted at one of these belongs to whom the directory belongs.
RUN install -d -o node -g node /etc/skein/generated /var/lib/skein/media
USER node
EXPOSE 8080 8081 9464
# Compose says it anew for what is no gRPC service.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["node", "tools/containers/health.mjs", "grpc", "8080"]
# Exec form: SIGTERM reaches Node. `init: true` beside it reaps, and ends what ignores it.
ENTRYPOINT ["node", "tools/containers/role.ts"]
CMD ["--help"]
