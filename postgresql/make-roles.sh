#!/bin/sh
# Makes the two roles of a service's database; PostgreSQL's image runs this once, in an empty volume. They are named
# after the database: `products` reads and writes rows, `products_owner` owns the tables and migrates. POSTGRES_PASSWORD
# becomes the owner's.
set -eu
[ -n "${SERVICE_PASSWORD:-}" ] || SERVICE_PASSWORD=$(cat "$SERVICE_PASSWORD_FILE")
export SERVICE_PASSWORD POSTGRES_PASSWORD PGPASSWORD="$POSTGRES_PASSWORD"

psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    -v service="$POSTGRES_DB" -v owner="${POSTGRES_DB}_owner" <<'SQL'
\getenv password SERVICE_PASSWORD
\getenv owner_password POSTGRES_PASSWORD
-- For a backup's scratch database; and migrate writes the limits of requests into the service's role.
CREATE ROLE :"owner" LOGIN CREATEDB CREATEROLE PASSWORD :'owner_password';
CREATE ROLE :"service" LOGIN PASSWORD :'password' ADMIN :"owner";
ALTER DATABASE :"service" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"service" TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO :"service";
-- The superuser logs in through the container's socket alone.
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
