"""What happens to accounts and their tokens: the functions for a synchronous session.

Every function works in the caller's transaction, which the caller commits. Those that change accounts take a
lock first and hold it to the transaction's end, so that parallel runs come one after the other and the later
ones find what the first one made. `actor` is who asks, for the audit trail.

Passwords are judged and hashed before the session takes a connection. A transaction that holds one already
holds it meanwhile: log in, and make admins, first.
"""

from app.features.users.activation import (
    Switched,
    activate_person,
    activate_service,
    deactivate_person,
    deactivate_service,
)
from app.features.users.admins import AdminOutcome, ensure_admin, needs_password
from app.features.users.listing import (
    Account,
    Expiring,
    TokenStatus,
    expiring_tokens,
    list_accounts,
    list_tokens,
)
from app.features.users.logins import authenticate
from app.features.users.provisioning import (
    DEFAULT_NAME,
    Issued,
    has_active_token,
    provision,
    rotate_token,
)
from app.features.users.recovering import recover_token
from app.features.users.revoking import (
    Leak,
    Revoked,
    revoke_all,
    revoke_by_id,
    revoke_leaked,
    revoke_token,
)
from app.features.users.token_checks import verify_token

__all__ = [
    "DEFAULT_NAME",
    "Account",
    "AdminOutcome",
    "Expiring",
    "Issued",
    "Leak",
    "Revoked",
    "Switched",
    "TokenStatus",
    "activate_person",
    "activate_service",
    "authenticate",
    "deactivate_person",
    "deactivate_service",
    "ensure_admin",
    "expiring_tokens",
    "has_active_token",
    "list_accounts",
    "list_tokens",
    "needs_password",
    "provision",
    "recover_token",
    "revoke_all",
    "revoke_by_id",
    "revoke_leaked",
    "revoke_token",
    "rotate_token",
    "verify_token",
]
