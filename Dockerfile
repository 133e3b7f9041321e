# botfleet and its simulated world in one image: built in one stage, run in another that holds no compiler.
#
#   docker build -t botfleet:0.2.0 .
#   docker run --rm botfleet:0.2.0 demo --seconds 30
#
# It runs as user 10001, needs no capability and, with PostgreSQL, writes to no disk: --read-only fits.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
COPY . .
# The same compiler output as a release of the program: locked versions, one profile. The caches belong to the builder;
# what is built is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --profile dist --bin botfleet \
    && cargo build --locked --profile dist -p botfleet-loadtest --bin botfleet-loadtest \
    && mkdir /out \
    && cp target/dist/botfleet target/dist/botfleet-loadtest /out/ \
    && strip /out/botfleet /out/botfleet-loadtest

FROM debian:12.12-slim
# TLS is checked against the system's certificates; nothing else of the system is used but its C library.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/botfleet /out/botfleet-loadtest /usr/local/bin/
COPY LICENSE /usr/share/doc/botfleet/LICENSE
# A folder of its own for those who run it alone on SQLite: mount a volume there.
RUN groupadd --system --gid 10001 botfleet \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/botfleet --shell /usr/sbin/nologin botfleet \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/botfleet
USER 10001:10001
WORKDIR /var/lib/botfleet
# The receiver of webhooks. The API listens on 127.0.0.1:8080 inside the container, since it has no sign-in.
EXPOSE 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["/usr/local/bin/botfleet", "health", "--ready"]
ENTRYPOINT ["/usr/local/bin/botfleet"]
CMD ["run", "--manifest", "/etc/botfleet/fleet.toml", "--profile", "production"]
