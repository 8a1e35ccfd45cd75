"""Which call leaves a way back in, for whom, and how telling that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from davylamp.kit.audit import document, first_text, request, response, text_of, texts, walk
from davylamp.kit.detection import Row

_POWERFUL = re.compile(r"/(AdministratorAccess|PowerUserAccess|IAMFullAccess)$")
_COMPUTE = re.compile(r"/(AmazonEC2FullAccess|AmazonECS_FullAccess)$")
_MAIL = re.compile(r"/AmazonSESFullAccess$|^ses:\*$|^ses:Send", re.I)
_ADMIN_GROUP = re.compile(r"admin|root|power|owner|devops|infra", re.I)
_ACCOUNT = re.compile(r"^(?:arn:[^:]*:[^:]*:[^:]*:)?(\d{12})(?::|$)")


@dataclass(frozen=True, slots=True)
class Foothold:
    """A way back in.

    Args:
        kind: acts of one kind on one target belong together.
        target: user, role, function or key concerned.
        did: what was done, for the sentence.
        llr: natural log of the likelihood ratio of this act alone, when it succeeds.
    """

    kind: str
    target: str
    did: str
    llr: float


def _user(row: Row) -> str:
    return first_text(request(row), "userName")


def _own(row: Row) -> bool:
    target = _user(row)
    return (
        not target or text_of(row, "principal").endswith(f"/{target}") or text_of(row, "actor").endswith(f"/{target}")
    )


def _created_user(row: Row) -> Foothold | None:
    return Foothold("user", _user(row), "created user", 1.0)


def _access_key(row: Row) -> Foothold | None:
    if not _user(row) and text_of(row, "actor").endswith(":root"):
        return Foothold("user", "the root user", "made an access key for", 2.8)
    return None if _own(row) else Foothold("user", _user(row), "made an access key for", 2.0)


def _login(row: Row) -> Foothold | None:
    if _own(row):
        return None
    reset = first_text(request(row), "passwordResetRequired") == "true"
    return Foothold("user", _user(row), "gave a console password to", 1.0 if reset else 2.0)


def _policy_document(row: Row) -> object:
    for name in ("policyDocument", "assumeRolePolicyDocument", "policy"):
        text = first_text(request(row), name)
        if text:
            return document(unquote(text) if text.startswith("%") else text)
    return None


def _statements(policy: object) -> list[Mapping[str, object]]:
    listed = policy.get("Statement") if isinstance(policy, dict) else None
    many = listed if isinstance(listed, list) else [listed]
    return [item for item in many if isinstance(item, dict) and item.get("Effect") == "Allow"]


def _members(value: object) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _rights(row: Row) -> str:
    """Words for rights worth reporting that a policy gives; empty for others."""
    arn = first_text(request(row), "policyArn")
    if _POWERFUL.search(arn) or _COMPUTE.search(arn) or _MAIL.search(arn):
        return arn.rpartition("/")[2]
    actions = [action for item in _statements(_policy_document(row)) for action in _members(item.get("Action"))]
    if any(action in ("*", "*:*", "iam:*") for action in actions):
        return "every action"
    return "sending mail" if any(_MAIL.search(action) for action in actions) else ""


def _policy_for_user(row: Row) -> Foothold | None:
    rights, target = _rights(row), _user(row) or first_text(request(row), "groupName")
    if not rights:
        return None
    mail = "SES" in rights or rights == "sending mail"
    narrow = _COMPUTE.search(f"/{rights}") is not None
    return Foothold("user", target, f"gave {rights} to", 1.8 if narrow else 2.5 if mail else 2.8)


def _policy_for_role(row: Row) -> Foothold | None:
    rights = _rights(row)
    return Foothold("role", first_text(request(row), "roleName"), f"gave {rights} to", 1.8) if rights else None


def _group(row: Row) -> Foothold | None:
    group = first_text(request(row), "groupName")
    return Foothold("user", _user(row), f"put into group {group}", 2.0 if _ADMIN_GROUP.search(group) else 0.5)


def _policy_version(row: Row) -> Foothold | None:
    rights = _rights(row)
    name = first_text(request(row), "policyArn").rpartition("/")[2]
    return Foothold("policy", name, f"rewrote to {rights}", 2.8) if rights == "every action" else None


def foreign_principals(row: Row) -> list[str]:
    """Accounts, or everybody, that a trust policy lets in without an external id or another condition."""
    own = text_of(row, "account")
    found: list[str] = []
    for item in _statements(_policy_document(row)):
        who = item.get("Principal")
        named = _members(who.get("AWS")) if isinstance(who, dict) else _members(who)
        if item.get("Condition"):
            continue
        for name in named:
            account = _ACCOUNT.match(name)
            if name == "*" or (account is not None and account.group(1) != own):
                found.append(name)
    return found


def _trust(row: Row) -> Foothold | None:
    strangers = foreign_principals(row)
    if not strangers:
        return None
    llr = (4.0 if "*" in strangers else 3.2) - (0.8 if row["operation"] == "CreateRole" else 0.0)
    role = first_text(request(row), "roleName")
    return Foothold("role", role, f"let {strangers[0]} assume", llr)


def _everybody(asked: object) -> bool:
    return isinstance(asked, dict) and asked.get("principal") == "*"


def _public_function(row: Row) -> Foothold | None:
    asked = request(row)
    open_to_all = _everybody(asked) or first_text(asked, "authType", "functionUrlAuthType") == "NONE"
    narrowed = first_text(asked, "sourceAccount", "sourceArn", "principalOrgID")
    if not open_to_all or narrowed:
        return None
    name = first_text(asked, "functionName").rpartition(":function:")[2] or first_text(asked, "functionName")
    direct = _everybody(asked) and first_text(asked, "functionUrlAuthType") != "NONE"
    return Foothold("function", name, "opened to everybody function", 3.5 if direct else 2.0)


def _key_pair(row: Row) -> Foothold | None:
    return Foothold("key pair", first_text(request(row), "keyName"), "brought in key pair", 0.8)


def _mail(row: Row) -> Foothold | None:
    name = first_text(request(row), "emailIdentity", "emailAddress", "domain")
    return Foothold("mail", name, f"set up mail sending ({text_of(row, 'operation')})", 1.5)


def _provider(row: Row) -> Foothold | None:
    return Foothold("trust", first_text(request(row), "name", "url"), "added a log-in provider", 2.5)


def _trust_anchor(row: Row) -> Foothold | None:
    return Foothold("trust", first_text(request(row), "name"), "added a certificate authority for roles", 2.5)


def _federated_token(row: Row) -> Foothold | None:
    """Such credentials outlive the key they were made with; a policy for one task is what portals hand out."""
    name, rights = first_text(request(row), "name"), _rights(row) or _rights_by_arn(row)
    return Foothold("token", name, f"made credentials that keep {rights} for", 2.0) if rights else None


def _rights_by_arn(row: Row) -> str:
    named = [arn.rpartition("/")[2] for arn in texts(request(row), "arn") if _POWERFUL.search(arn)]
    return named[0] if named else ""


_READERS: Mapping[str, Callable[[Row], Foothold | None]] = {
    "CreateUser": _created_user,
    "CreateAccessKey": _access_key,
    "CreateLoginProfile": _login,
    "UpdateLoginProfile": _login,
    "AttachUserPolicy": _policy_for_user,
    "PutUserPolicy": _policy_for_user,
    "AttachGroupPolicy": _policy_for_user,
    "PutGroupPolicy": _policy_for_user,
    "AttachRolePolicy": _policy_for_role,
    "PutRolePolicy": _policy_for_role,
    "AddUserToGroup": _group,
    "CreatePolicyVersion": _policy_version,
    "UpdateAssumeRolePolicy": _trust,
    "CreateRole": _trust,
    "CreateSAMLProvider": _provider,
    "CreateOpenIDConnectProvider": _provider,
    "CreateTrustAnchor": _trust_anchor,
    "GetFederationToken": _federated_token,
    "ImportKeyPair": _key_pair,
    "CreateKeyPair": _key_pair,
    "VerifyEmailIdentity": _mail,
    "VerifyDomainIdentity": _mail,
    "CreateEmailIdentity": _mail,
    "PutAccountDetails": _mail,
    "UpdateAccountSendingEnabled": _mail,
    "PutAccountSendingAttributes": _mail,
}


def foothold_of(row: Row) -> Foothold | None:
    """The way back in that a call leaves, None when it leaves none."""
    operation = text_of(row, "operation")
    if text_of(row, "service").startswith("lambda."):
        return _public_function(row)
    reader = _READERS.get(operation)
    return reader(row) if reader else None


def new_keys(row: Row) -> list[str]:
    """Access keys that the answer hands out."""
    return texts(response(row), "accessKeyId")


def names_mail(row: Row) -> bool:
    """Whether the call gives the right to send mail."""
    return any(isinstance(value, str) and _MAIL.search(value) for _, value in walk(request(row)))


def new_identities(row: Row, foothold: Foothold) -> list[str]:
    """Entities whose later acts belong to this one: the keys handed out, the user made or strengthened."""
    links = [f"access_key:{key}" for key in new_keys(row)]
    if foothold.kind == "user" and foothold.target:
        partition = text_of(row, "actor").split(":")[1:2] or ["aws"]
        links.append(f"principal:arn:{partition[0] or 'aws'}:iam::{text_of(row, 'account')}:user/{foothold.target}")
    return links
