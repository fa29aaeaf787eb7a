-- Which client is this? For FreeRADIUS' dynamic clients: "NAS id|yes or no|secret", in which yes means that a request
-- without Message-Authenticator is dropped, and the secret, which may hold bars, is all that follows the second one.
-- '' for an address that is no active NAS of an active tenant: FreeRADIUS then drops the packet unanswered.
CREATE FUNCTION aaa_client(source text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    n record;
BEGIN
    SELECT nas.id, nas.tenant_id, nas.secret, nas.require_message_authenticator AS required INTO n
    FROM aaa_nas AS nas JOIN tenants_tenant AS tenant ON tenant.id = nas.tenant_id
    WHERE nas.address = source::inet AND nas.is_active AND tenant.is_active;
    IF NOT FOUND THEN
        RETURN '';
    END IF;
    RETURN format('%s|%s|%s', n.id, CASE WHEN n.required THEN 'yes' ELSE 'no' END,
                  aaa_open(n.secret, 'aaa_nas.secret:' || n.tenant_id));
END $$;
