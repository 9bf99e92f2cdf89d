# The scanner and its HTTP API. Data live on the volume /data; run it with SCANNER_API_KEY set, or it refuses to start.

FROM python:3.12-slim AS build
COPY requirements.txt /build/
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -r /build/requirements.txt

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin scanner \
    && install --directory --owner=scanner --group=scanner /data
COPY --from=build /venv /venv
WORKDIR /app
COPY *.py ./
COPY scanner/ scanner/
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SCANNER_HOST=0.0.0.0 \
    SCANNER_PORT=5001 \
    SCANNER_DATA_DIR=/data \
    SCANNER_STATE_DIR=/data/state
USER scanner
VOLUME /data
EXPOSE 5001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \
    CMD ["python", "-m", "scanner.api.health_check"]
CMD ["gunicorn", "scanner_api:app"]
