SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.audit (
    project text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    "time" double precision NOT NULL,
    user_name text NOT NULL COLLATE pg_catalog."C",
    address text NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    details text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.chunks (
    project text NOT NULL COLLATE pg_catalog."C",
    stream text NOT NULL COLLATE pg_catalog."C",
    begin bigint NOT NULL,
    data bytea NOT NULL
);
CREATE TABLE public.compacted (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    stamp text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.deleted (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    deleted_at double precision NOT NULL,
    deleted_by text NOT NULL COLLATE pg_catalog."C",
    purged_at double precision
);
CREATE TABLE public.fields (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    child text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    number double precision,
    text text COLLATE pg_catalog."C"
);
CREATE TABLE public.files (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    removed double precision NOT NULL,
    object text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    sha256 text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.garbage (
    project text NOT NULL COLLATE pg_catalog."C",
    object text NOT NULL COLLATE pg_catalog."C",
    since double precision NOT NULL
);
CREATE TABLE public.invitations (
    user_name text NOT NULL COLLATE pg_catalog."C",
    hash text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.leases (
    name text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL COLLATE pg_catalog."C",
    until double precision NOT NULL
);
CREATE TABLE public.members (
    project text NOT NULL COLLATE pg_catalog."C",
    user_name text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.metrics (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    child text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    last double precision,
    min double precision,
    max double precision,
    count double precision,
    last_step double precision,
    last_epoch double precision
);
CREATE TABLE public.news (
    project text NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL
);
CREATE TABLE public.pieces (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    sha256 text NOT NULL COLLATE pg_catalog."C",
    begin bigint NOT NULL,
    size bigint NOT NULL,
    object text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.progress (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    state bytea
);
CREATE TABLE public.projects (
    project text NOT NULL COLLATE pg_catalog."C",
    public boolean NOT NULL,
    created_at double precision NOT NULL,
    workspace text COLLATE pg_catalog."C",
    quota_bytes bigint,
    quota_runs bigint,
    retention_days double precision
);
CREATE TABLE public.published (
    key text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL
);
CREATE TABLE public.runs (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    id text COLLATE pg_catalog."C",
    name text COLLATE pg_catalog."C",
    project_name text COLLATE pg_catalog."C",
    parent text COLLATE pg_catalog."C",
    status text COLLATE pg_catalog."C",
    note text COLLATE pg_catalog."C",
    archived double precision,
    started_at double precision,
    ended_at double precision,
    stamp text COLLATE pg_catalog."C",
    "row" bytea
);
CREATE TABLE public.sessions (
    hash text NOT NULL COLLATE pg_catalog."C",
    user_name text COLLATE pg_catalog."C",
    token_hash text COLLATE pg_catalog."C",
    share_hash text COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.shares (
    project text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    hash text NOT NULL COLLATE pg_catalog."C",
    run text COLLATE pg_catalog."C",
    label text NOT NULL COLLATE pg_catalog."C",
    made_by text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    expires_at double precision,
    revoked_at double precision
);
CREATE TABLE public.streams (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    removed double precision NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    packed bigint NOT NULL,
    object text COLLATE pg_catalog."C",
    changed_at double precision NOT NULL
);
CREATE TABLE public.tags (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    tag text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.throttle (
    key text NOT NULL COLLATE pg_catalog."C",
    failures integer NOT NULL,
    seen_at double precision NOT NULL,
    until double precision NOT NULL
);
CREATE TABLE public.tokens (
    hash text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    user_name text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    project text COLLATE pg_catalog."C",
    created_at double precision NOT NULL,
    expires_at double precision,
    revoked_at double precision,
    made_by text COLLATE pg_catalog."C"
);
CREATE TABLE public.usage (
    project text NOT NULL COLLATE pg_catalog."C",
    run text NOT NULL COLLATE pg_catalog."C",
    bytes bigint NOT NULL,
    since double precision NOT NULL
);
CREATE TABLE public.users (
    name text NOT NULL COLLATE pg_catalog."C",
    admin boolean NOT NULL,
    created_at double precision NOT NULL,
    disabled boolean NOT NULL,
    password text COLLATE pg_catalog."C"
);
CREATE TABLE public.workspace_members (
    workspace text NOT NULL COLLATE pg_catalog."C",
    user_name text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.workspaces (
    name text NOT NULL COLLATE pg_catalog."C",
    created_at double precision NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.fields VALUES ('lab', '20261122-111134-537-9f3c2a81', '', 'params', 'lr', 0.1, '0.1');
INSERT INTO public.members VALUES ('lab', 'bob', 'admin');
INSERT INTO public.metrics VALUES ('lab', '20261122-111134-537-9f3c2a81', '', 'loss', 0.5, 0.5, 0.5, 1, 1, NULL);
INSERT INTO public.news VALUES ('lab', 1);
INSERT INTO public.progress VALUES ('lab', '20261122-111134-537-9f3c2a81', '\x7b22726f6f74223a7b226d657472696373223a7b226c6f7373223a5b302e352c322e302c312c6e756c6c2c302e352c302e352c315d7d2c22706172616d73223a7b226c72223a5b312e352c302e315d7d7d2c2266696c6573223a7b226a6f75726e616c2e6a736f6e6c223a7b226f6666736574223a3237322c2273697a65223a3237322c22636c6f636b223a332e302c227374617274223a7b2274797065223a2272756e222c226964223a2232303236313132322d3131313133342d3533372d3966336332613831222c226e616d65223a2263616c6d2d6f747465722d3031222c2270726f6a656374223a226c6162222c2274696d65223a312e307d2c22656e64223a7b2274797065223a22656e64222c22737461747573223a22636f6d706c65746564222c22657869745f636f6465223a302c2274696d65223a332e307d7d7d2c226669727374223a312e307d');
INSERT INTO public.projects VALUES ('lab', false, 1, NULL, NULL, NULL, NULL);
INSERT INTO public.runs VALUES ('lab', '20261122-111134-537-9f3c2a81', '20261122-111134-537-9f3c2a81', 'calm-otter-01', 'lab', NULL, 'completed', '', 0, 1, 3, 'journal.jsonl:272:1795576297282086862', '\x7b226964223a2232303236313132322d3131313133342d3533372d3966336332613831222c226e616d65223a2263616c6d2d6f747465722d3031222c2270726f6a656374223a226c6162222c226b696e64223a2272756e222c22696e746567726174696f6e223a6e756c6c2c22706172656e74223a6e756c6c2c22737461747573223a22636f6d706c65746564222c22656e64223a7b22736f75726365223a2270726f63657373222c22657869745f636f6465223a307d2c22737461727465645f6174223a312e302c22656e6465645f6174223a332e302c22706172616d73223a7b226c72223a302e317d2c2261726773223a7b7d2c226d657472696373223a7b226c6f7373223a7b226c617374223a302e352c226d696e223a302e352c226d6178223a302e352c22636f756e74223a312c226c6173745f73746570223a312c226c6173745f65706f6368223a6e756c6c7d7d2c2274616773223a5b5d2c226e6f7465223a22222c226669656c6473223a7b7d2c226172636869766564223a66616c73652c226661637473223a7b7d2c226f74686572223a7b7d2c22617373657473223a5b5d2c226368696c6472656e223a5b5d2c2270726f636573736573223a5b5d2c226865616c7468223a7b226c6f7374223a5b5d2c227265646163746564223a5b5d2c226572726f7273223a5b5d2c226e6f7469636573223a5b5d7d2c226469726563746f7279223a22227d');
INSERT INTO public.users VALUES ('bob', true, 1, false, NULL);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (project, id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (project, stream, begin);
ALTER TABLE ONLY public.compacted
    ADD CONSTRAINT compacted_pkey PRIMARY KEY (project, run);
ALTER TABLE ONLY public.deleted
    ADD CONSTRAINT deleted_pkey PRIMARY KEY (project, run);
ALTER TABLE ONLY public.fields
    ADD CONSTRAINT fields_pkey PRIMARY KEY (project, run, child, kind, name);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (project, run, path, removed);
ALTER TABLE ONLY public.garbage
    ADD CONSTRAINT garbage_pkey PRIMARY KEY (project, object);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_hash_key UNIQUE (hash);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (user_name);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (project, user_name);
ALTER TABLE ONLY public.metrics
    ADD CONSTRAINT metrics_pkey PRIMARY KEY (project, run, child, name);
ALTER TABLE ONLY public.news
    ADD CONSTRAINT news_pkey PRIMARY KEY (project);
ALTER TABLE ONLY public.pieces
    ADD CONSTRAINT pieces_pkey PRIMARY KEY (project, run, sha256, begin);
ALTER TABLE ONLY public.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (project, run);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (project);
ALTER TABLE ONLY public.published
    ADD CONSTRAINT published_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (project, run);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_hash_key UNIQUE (hash);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_pkey PRIMARY KEY (project, id);
ALTER TABLE ONLY public.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (project, run, name, removed);
ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_pkey PRIMARY KEY (project, run, tag);
ALTER TABLE ONLY public.throttle
    ADD CONSTRAINT throttle_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_id_key UNIQUE (id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (project, run);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.workspace_members
    ADD CONSTRAINT workspace_members_pkey PRIMARY KEY (workspace, user_name);
ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT workspaces_pkey PRIMARY KEY (name);
CREATE INDEX audit_by_time ON public.audit USING btree (id);
CREATE INDEX runs_by_start ON public.runs USING btree (project, archived, started_at, run);
