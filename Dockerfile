# The second stage builds the wheel and its locked environment, the last only runs it.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS tools
RUN apt-get update && apt-get install -y --no-install-recommends binutils \
 && python -m venv /opt/build && python -m venv --without-pip /opt/shutwatch
COPY packaging/slim.sh /usr/local/bin/
ENV PATH=/opt/build/bin:$PATH

FROM tools AS build
WORKDIR /src
COPY requirements/release.lock requirements/full.lock requirements/
RUN pip --python /opt/shutwatch install --no-cache-dir --require-hashes -r requirements/full.lock \
 && pip install --no-cache-dir --require-hashes -r requirements/release.lock
COPY pyproject.toml mkdocs.yml README.md LICENSE ./
COPY monitor monitor
COPY probes probes
COPY storage storage
COPY dashboards dashboards
COPY docs docs
COPY start start
RUN zensical build \
 && pip wheel --no-cache-dir --no-deps --no-build-isolation -w /dist . \
 && pip --python /opt/shutwatch install --no-cache-dir --no-deps /dist/*.whl \
 && slim.sh /opt/shutwatch

# For hosts of agents: `docker build --target agent`. No database library, no server, no plots.
FROM tools AS agent-build
COPY requirements/agent.lock requirements/
COPY --from=build /dist /dist
# The lock lacks what typer would only paint with, hence --no-deps. No agent serves the documents.
RUN pip --python /opt/shutwatch install --no-cache-dir --no-deps --require-hashes -r requirements/agent.lock \
 && pip --python /opt/shutwatch install --no-cache-dir --no-deps /dist/*.whl \
 && rm -r /opt/shutwatch/lib/python3*/site-packages/shutwatch/monitor/server/site \
 && slim.sh /opt/shutwatch

FROM ${BASE} AS agent
RUN useradd --system --uid 10100 --home-dir /data --shell /usr/sbin/nologin shutwatch \
 && mkdir /data && chown shutwatch /data
COPY --from=agent-build /opt/shutwatch /opt/shutwatch
ENV PATH=/opt/shutwatch/bin:$PATH PYTHONUNBUFFERED=1 SHUTWATCH_CONFIG=/data/agent.toml
USER shutwatch
WORKDIR /data
VOLUME /data
ENTRYPOINT ["shutwatch", "agent"]
CMD ["run", "--config", "/data/agent.toml"]

FROM ${BASE}
RUN useradd --system --uid 10100 --home-dir /data --shell /usr/sbin/nologin shutwatch \
 && mkdir /data /keys && chown shutwatch /data /keys
COPY --from=build /opt/shutwatch /opt/shutwatch
ENV PATH=/opt/shutwatch/bin:$PATH PYTHONUNBUFFERED=1
USER shutwatch
WORKDIR /data
VOLUME /data
EXPOSE 10100
# Healthy means the process answers; whether it has data to show is /-/ready.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:10100/-/healthy', timeout=4)"]
ENTRYPOINT ["shutwatch"]
CMD ["run"]
