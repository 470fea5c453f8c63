# The image is the static binary and nothing else: build that first, with 'make build' ('make image' does both).
FROM scratch
# Where the binary stands inside. Compose sets it to its place outside, see there.
ARG BIN=/usr/local/bin
COPY bin/tripod ${BIN}/tripod
COPY LICENSE /
ENV PATH=${BIN}
# Every port is on 127.0.0.1: run this with the host's network.
CMD ["tripod", "up"]
