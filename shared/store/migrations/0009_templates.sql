-- Templates: a version is the words of every channel and language together, and is never changed.

CREATE TABLE templates (
    tenant     text NOT NULL,
    name       text NOT NULL,
    published  integer,                            -- the version that new notifications get; none: nobody gets it
    latest     integer NOT NULL DEFAULT 0,
    is_deleted boolean NOT NULL DEFAULT false,     -- what is posted next begins with nothing
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, name)
);

CREATE TABLE template_versions (
    tenant           text NOT NULL,
    name             text NOT NULL,
    version          integer NOT NULL,
    default_language text NOT NULL,
    contents         jsonb NOT NULL,
    made_by          text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, name, version)
);

CREATE FUNCTION refuse_new_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a template is never changed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER template_versions_stay BEFORE UPDATE ON template_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_new_words();
