# The application with its migrations: the image of the job that seeds, and of what comes after it.
# docs/how-to/deploying.md tells how it is used.
FROM python:3.11-slim

WORKDIR /srv/seedrail

# The environment first: a change of the application does not install it again.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir seedrail && touch seedrail/__init__.py \
    && pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -e '.[catalog]' \
    && useradd --system --no-create-home seedrail

COPY alembic.ini ./
COPY seedrail ./seedrail
COPY app ./app
COPY migrations ./migrations

# Production insists on a DATABASE_URL, and leaves the demo catalog out. No secret is ever part of the image.
ENV APP_ENVIRONMENT=production \
    PYTHONUNBUFFERED=1

# The files stay root's: what runs cannot change its own migrations.
USER seedrail

CMD ["python", "-m", "app.scripts.db.seed"]
