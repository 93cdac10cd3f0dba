# A NodeTool server in a container: one binary, no shell, no root. See docs/deploy/docker.md.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --no-install-recommends --yes gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY examples examples
RUN cargo build --release --locked -p nodetool-server --bin nodetool
# A volume takes owner and rights from the folder it is mounted over.
RUN install -d -m 0700 /out/data && install -D -m 0755 target/release/nodetool /out/bin/nodetool

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/bin/nodetool /usr/local/bin/nodetool
COPY --from=build --chown=65532:65532 /out/data /data
ENV NODETOOL_DATA_DIR=/data \
    XDG_CONFIG_HOME=/data/config \
    XDG_CACHE_HOME=/data/cache \
    ENV=production \
    NODETOOL_LOG_FORMAT=json
USER 65532:65532
VOLUME ["/data"]
EXPOSE 7777
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/nodetool", "ping", "--api-url", "http://127.0.0.1:7777"]
ENTRYPOINT ["/usr/local/bin/nodetool"]
CMD ["worker", "--host", "0.0.0.0", "--port", "7777"]
