"""One harvest of the portal: request, client, spool, checks, commit, replay."""
