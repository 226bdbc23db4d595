# syntax=docker/dockerfile:1.7
# One small image for every service: the program, the C library it was linked against, and the roots that TLS clients trust.
# No shell, no package manager, nothing to be root for.
#
# The program links glibc (its resolver and allocator are what it was measured with), so the image's files come from the very system
# that built it instead of from another vendor's "distroless": one base to pin, and never another glibc than at linking.

# The version of rust-toolchain.toml.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
# The image's own toolchain, without asking the network for rust-toolchain.toml's components.
ENV RUSTUP_TOOLCHAIN=1.95.0
# Optimised across crates, which is worth its time only in what ships.
ENV CARGO_PROFILE_RELEASE_LTO=thin
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --package trialseal --features full \
    && install -D --strip target/release/trialseal /image/usr/local/bin/trialseal

# The shared libraries the program names, as ldd finds them, and what scanners read to know their versions.
RUN ldd /image/usr/local/bin/trialseal | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory=/image \
    && cp --parents --target-directory=/image /etc/ssl/certs/ca-certificates.crt /etc/nsswitch.conf \
    && mkdir -p /image/var/lib/dpkg/status.d \
    && for package in libc6 libgcc-s1 ca-certificates; do \
        dpkg-query --status "$package" > "/image/var/lib/dpkg/status.d/$package"; \
    done \
    && echo 'trialseal:x:65532:65532::/var/lib/trialseal:/nonexistent' > /image/etc/passwd \
    && echo 'trialseal:x:65532:' > /image/etc/group \
    && mkdir -p /image/tmp /state/etc/trialseal /state/var/lib/trialseal \
    && chmod 1777 /image/tmp

FROM scratch
LABEL org.opencontainers.image.title="trialseal" \
      org.opencontainers.image.description="Clinical-trial data, sealed under live consent and provable offline" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
# Mount points that the program's user may write where a volume is new.
COPY --from=build --chown=65532:65532 /state /
USER 65532:65532
WORKDIR /var/lib/trialseal
ENTRYPOINT ["/usr/local/bin/trialseal"]
CMD ["--help"]
