# One image for web, worker, beat and migrate; the command line in docker-compose.yml tells them apart.
FROM python:3.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# What WeasyPrint loads to draw papers; the fonts come with the Python packages.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --uid 10001 --user-group --create-home portal \
    && mkdir -p /data/files \
    && chown portal:portal /data/files
WORKDIR /portal

COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt

COPY manage.py ./
COPY config config/
COPY core core/
COPY unions unions/
COPY members members/
COPY assistance assistance/
COPY templates templates/
COPY static static/
COPY locale locale/

# collectstatic reads the settings, which insist on secrets: these four live in this one command and seal nothing.
RUN SECRET_KEY=unused FIELD_KEYS=unused INDEX_KEYS=unused AUDIT_KEY=unused python manage.py collectstatic --noinput

USER portal
EXPOSE 8000
VOLUME /data/files
CMD ["python", "-m", "gunicorn", "config.wsgi", "--bind=0.0.0.0:8000", "--no-control-socket", "--logger-class=config.gunicorn.Logger"]
