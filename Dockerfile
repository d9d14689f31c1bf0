# The service and what it needs to run, nothing that builds or tests it. The source is TypeScript that Node runs as it is.
FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:26-slim
ENV NODE_ENV=production \
    STEPWELL_DATA_DIR=/data \
    # Inside a container loopback reaches nobody. Any other address needs STEPWELL_API_KEYS, and the service says so.
    STEPWELL_HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
COPY examples/retail.yaml ./examples/retail.yaml
RUN install --directory --owner=node --group=node --mode=0700 /data
VOLUME /data
USER node
EXPOSE 8080
# Without the service's own NODE_OPTIONS: they may hold permissions, and this asks for none.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["env", "-u", "NODE_OPTIONS", "node", "-e", "fetch(`http://127.0.0.1:${process.env.STEPWELL_MANAGEMENT_PORT || 9090}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node itself refuses whatever the service has no use for: other programs, and files that are neither its own, its data's nor its
# settings'. What each flag is for, and what more workers or other places need: docs/hardening.md.
ENTRYPOINT ["node", "--disable-proto=delete", "--disable-warning=SecurityWarning", "--disable-warning=ExperimentalWarning", \
  "--permission", "--allow-net", "--allow-worker", "--allow-addons", \
  "--allow-fs-read=/app", "--allow-fs-read=/etc/stepwell", "--allow-fs-read=/data", "--allow-fs-write=/data", \
  "src/cli/stepwell.js"]
CMD ["serve"]
