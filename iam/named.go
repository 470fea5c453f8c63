package iam

import (
	"strings"

	"tripod/region"
	"tripod/state"
)

// Is says whether an ARN names the principal: its own, or that of the role that it acts as.
func (p Principal) Is(arn string) bool {
	return arn != "" && (arn == p.ARN || arn == p.IssuerARN || arn == p.canonicalARN())
}

// KnowsPrincipal says whether an ARN can name a principal: it is of the root user, of a user or role that is there, or of a
// session, of which nobody has a list.
func KnowsPrincipal(tx *state.Txn, arn string) bool {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) != 6 || fields[5] == "" {
		return false
	}
	kind, path, _ := strings.Cut(fields[5], "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case fields[2] == "sts":
		return (kind == "assumed-role" || kind == "federated-user") && name != ""
	case fields[2] != "iam":
		return false
	case kind == "user":
		user, found := region.Users.Get(tx, name)
		return found && user.ARN == arn
	case kind == "role":
		role, found := region.Roles.Get(tx, name)
		return found && (role.ARN == arn || path == name)
	}
	return fields[5] == "root"
}
