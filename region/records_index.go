package region

import "strings"

// The indexes of IAM's tables and of who may use a cluster.
var (
	KeysByOwner = newIndex(AccessKeys, "owner", func(k AccessKey) []string { return []string{KeyOwner(k.User, k.Root)} })

	// By the names in lower case: IAM takes no two that differ by case alone.
	UsersByName    = newIndex(Users, "name", func(u User) []string { return []string{strings.ToLower(u.Name)} })
	RolesByName    = newIndex(Roles, "name", func(r Role) []string { return []string{strings.ToLower(r.Name)} })
	GroupsByName   = newIndex(Groups, "name", func(g Group) []string { return []string{strings.ToLower(g.Name)} })
	PoliciesByName = newIndex(Policies, "name", func(p Policy) []string { return []string{strings.ToLower(p.Name)} })
	ProfilesByName = newIndex(InstanceProfiles, "name", func(p InstanceProfile) []string { return []string{strings.ToLower(p.Name)} })

	// By the ARNs of the managed policies that they have.
	UsersByPolicy  = newIndex(Users, "policy", func(u User) []string { return u.Policies })
	RolesByPolicy  = newIndex(Roles, "policy", func(r Role) []string { return r.Policies })
	GroupsByPolicy = newIndex(Groups, "policy", func(g Group) []string { return g.Policies })

	// By the ARN of the policy that bounds them; those that none does are in no group.
	UsersByBoundary = newIndex(Users, "boundary", func(u User) []string { return unlessEmpty(u.Boundary) })
	RolesByBoundary = newIndex(Roles, "boundary", func(r Role) []string { return unlessEmpty(r.Boundary) })

	UsersByGroup   = newIndex(Users, "group", func(u User) []string { return u.Groups })                                 // by the names of their groups
	ProfilesByRole = newIndex(InstanceProfiles, "role", func(p InstanceProfile) []string { return unlessEmpty(p.Role) }) // by its name

	AccessEntriesByARN = newIndex(AccessEntries, "arn", func(e AccessEntry) []string { return []string{e.ARN} })
	AssociationsByARN  = newIndex(PodIdentityAssociations, "arn", func(a PodIdentityAssociation) []string { return []string{a.ARN} })
	// AssociationsByServiceAccount has the groups that ServiceAccountOf names.
	AssociationsByServiceAccount = newIndex(PodIdentityAssociations, "service-account", func(a PodIdentityAssociation) []string {
		return []string{ServiceAccountOf(a.ClusterID, a.Namespace, a.ServiceAccount)}
	})
)

// indexes are all that there are, by the kind of their records.
var indexes = byKind(
	indexed(AccessKeys, KeysByOwner),
	indexed(Users, UsersByName, UsersByPolicy, UsersByBoundary, UsersByGroup),
	indexed(Roles, RolesByName, RolesByPolicy, RolesByBoundary),
	indexed(Groups, GroupsByName, GroupsByPolicy),
	indexed(Policies, PoliciesByName),
	indexed(InstanceProfiles, ProfilesByName, ProfilesByRole),
	indexed(AccessEntries, AccessEntriesByARN),
	indexed(PodIdentityAssociations, AssociationsByARN, AssociationsByServiceAccount),
)

// KeyOwner names the user of that name, or the account's root user, in KeysByOwner.
func KeyOwner(user string, root bool) string {
	if root {
		return "root"
	}
	return "user/" + user
}

// ServiceAccountOf names a cluster's service account in AssociationsByServiceAccount.
func ServiceAccountOf(clusterID, namespace, name string) string {
	return clusterID + "/" + namespace + "/" + name
}

func unlessEmpty(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
