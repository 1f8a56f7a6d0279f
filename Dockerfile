# The bridge in one image: `docker build -t debate-bridge . && docker run -p 8080:8080 debate-bridge`.
# Media to debaters is UDP on ephemeral ports: run with --network host, or publish a range and set
# --sysctl net.ipv4.ip_local_port_range to it.
FROM node:20-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --omit=dev
COPY web/ ./
RUN node collect.mjs && rm -rf node_modules

FROM python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements/ requirements/
RUN pip install --require-hashes -r requirements/build.lock -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY bridge/ bridge/
COPY --from=web /web/ web/
RUN pip install --no-deps --no-build-isolation -e . \
    && useradd --system --home /data bridge && install -d -o bridge /data
USER bridge
VOLUME /data
ENV BRIDGE_DATA_DIR=/data BRIDGE_HOST=0.0.0.0
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=3)"]
ENTRYPOINT ["debate-bridge"]
CMD ["serve"]
