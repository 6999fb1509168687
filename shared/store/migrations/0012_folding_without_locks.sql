-- A set of sagas that was read without locks is written as a whole or not at all.

CREATE FUNCTION refuse_changed(unchanged bigint, wanted bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF unchanged <> wanted THEN
        RAISE EXCEPTION 'a saga was changed by somebody else meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN true;
END $$;
