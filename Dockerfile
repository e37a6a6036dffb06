# docker build -t fedi . && docker run -v fedi:/data fedi init /data --domain social.example
# docker run -v fedi:/data -p 127.0.0.1:8080:8080 fedi
FROM python:3.13-slim-trixie AS build
WORKDIR /src
RUN python -m venv /opt/fedi
COPY pyproject.toml README.md LICENSE config.example.toml ./
COPY templates templates
COPY fedi fedi
RUN /opt/fedi/bin/pip install --no-cache-dir '.[postgres,fast]'

FROM python:3.13-slim-trixie
RUN useradd --system --uid 900 --home-dir /data --shell /usr/sbin/nologin fedi \
    && install -d -o fedi -g fedi -m 0700 /data
COPY --from=build /opt/fedi /opt/fedi
ENV PATH=/opt/fedi/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FEDI_CONFIG=/data/config.toml \
    FEDI_SERVER__LISTEN=0.0.0.0 \
    FEDI_SERVER__PORT=8080
USER fedi
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
ENTRYPOINT ["fedi"]
CMD ["serve"]
