# extractq alone: one static binary, the certificates of the public authorities, and
# a user without a name, the licenses. It builds with BuildKit and with the older builder.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -tags clouds -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /image/extractq ./cmd/extractq
# A new volume gets owner and mode of the folder it is mounted on.
RUN mkdir -p /image/owned/data /image/owned/tmp && chmod 0700 /image/owned/data && chmod 1777 /image/owned/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /image/owned/ /
COPY --from=build /image/extractq /usr/local/bin/extractq
COPY LICENSE THIRD_PARTY_NOTICES /licenses/
USER 65532:65532
ENV EXTRACTQ_DATA_URL=/data
ENTRYPOINT ["/usr/local/bin/extractq"]
