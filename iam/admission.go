package iam

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tripod/region"
	"tripod/state"
)

// Authentication modes of a cluster: what lets principals in.
const (
	modeConfigMap = "CONFIG_MAP"
	modeAPI       = "API"
)

// nodeGroups are the groups of every node, beside those of its access entry: a kubelet that joins is a bootstrapper
// too.
var nodeGroups = []string{"system:bootstrappers", "system:nodes"}

// Admission is as whom a principal enters a cluster.
type Admission struct {
	Username string
	Groups   []string
	// By is what let the principal in, in words for people.
	By string
	// Policies are those of the access entry that let it in, if one did.
	Policies []region.AssociatedPolicy
}

// errNotMapped says that nothing lets a principal into the cluster.
var errNotMapped = errors.New("nothing lets it in")

// admit finds what lets a verified principal into the cluster. An access entry goes before aws-auth; in the mode
// CONFIG_MAP there are no entries, and the one that the creator has all the same makes it the administrator whom
// aws-auth does not show.
func (a *Authenticator) admit(cluster region.Cluster, p Principal) (Admission, error) {
	entry, found, err := a.entryOf(p)
	if err != nil {
		return Admission{}, err
	}
	current := found && entry.PrincipalID == p.principalID() && entry.PrincipalID != ""
	switch {
	case cluster.AuthenticationMode == modeConfigMap:
		if current || !found && isCreator(cluster, p) {
			return administrator("the cluster's creator"), nil
		}
	case current:
		return a.admitEntry(entry, p)
	case !found && isCreator(cluster, p):
		return administrator("the cluster's creator, which is of a time before access entries"), nil
	}
	if cluster.AuthenticationMode != modeAPI {
		admission, err := a.admitMapped(p)
		if !errors.Is(err, errNotMapped) {
			return admission, err
		}
	}
	return Admission{}, refusal(cluster, p, found)
}

// entryOf finds the access entry that names the principal, by its key.
func (a *Authenticator) entryOf(p Principal) (entry region.AccessEntry, found bool, err error) {
	err = a.State.View(func(tx *state.Txn) error {
		entry, found = region.AccessEntries.Get(tx, a.ClusterID+"/"+p.principalARN())
		return nil
	})
	return entry, found, err
}

// isCreator says whether a principal made the cluster and is its administrator for that. Only clusters of old data
// directories go by this: those made since have an access entry for their creator, and one that is deleted takes
// CreatorARN along.
func isCreator(cluster region.Cluster, p Principal) bool {
	return cluster.CreatorARN != "" && cluster.CreatorARN == p.principalARN()
}

// administrator is whom EKS makes of a cluster's creator in the mode CONFIG_MAP.
func administrator(by string) Admission {
	return Admission{Username: "kubernetes-admin", Groups: []string{"system:masters"}, By: by}
}

// admitEntry goes by an access entry. Templates are for its username alone ("Create access entries" of the EKS user
// guide): in a group, a session could complete the name to one that access entries must not have, such as
// system:masters.
func (a *Authenticator) admitEntry(entry region.AccessEntry, p Principal) (Admission, error) {
	admission, err := a.fill(Admission{Username: entry.Username, By: "the access entry of " + entry.PrincipalARN,
		Policies: entry.Policies}, p)
	if err != nil {
		return Admission{}, err
	}
	admission.Groups = slices.Clone(entry.Groups)
	if entry.Type != "STANDARD" {
		admission.Groups = slices.Compact(slices.Sorted(slices.Values(append(admission.Groups, nodeGroups...))))
	}
	return admission, nil
}

// admitMapped goes by the ConfigMap aws-auth. It knows principals by their ARNs alone.
func (a *Authenticator) admitMapped(p Principal) (Admission, error) {
	if a.AWSAuth == nil {
		return Admission{}, errNotMapped
	}
	auth, canonical := a.AWSAuth(), p.canonicalARN()
	if found, ok := auth.mapping(canonical); ok {
		return a.fill(Admission{Username: found.Username, Groups: found.Groups,
			By: "the ConfigMap aws-auth, which maps " + found.ARN}, p)
	}
	if auth.accounts[p.AccountID] {
		return Admission{Username: canonical, By: "the ConfigMap aws-auth, which maps the account " + p.AccountID}, nil
	}
	return Admission{}, errNotMapped
}

// refusedError says why a principal with a valid token has no access.
type refusedError struct{ arn, cluster, why string }

func (e *refusedError) Error() string {
	return fmt.Sprintf("the token of %s is valid, but it has no access to cluster %s: %s", quoteARN(e.arn),
		quote(e.cluster), e.why)
}

func refusal(cluster region.Cluster, p Principal, stale bool) error {
	why := "it has no access entry, and the ConfigMap aws-auth does not map it"
	switch {
	case p.IsFederated() && cluster.AuthenticationMode == modeAPI:
		why = "federated users have no access entries, and in the authentication mode API nothing else lets anybody in"
	case p.IsFederated():
		why = "federated users have no access entries, and the ConfigMap aws-auth does not map it"
	case cluster.AuthenticationMode == modeConfigMap:
		why = "the ConfigMap aws-auth does not map it"
	case stale:
		why = "its access entry was made for an earlier principal of that name: delete the entry and create it again"
	case cluster.AuthenticationMode == modeAPI:
		why = "it has no access entry"
	}
	return &refusedError{p.ARN, cluster.Name, why}
}

// instanceID is the form of EC2's instance ids, which are the session names of nodes.
var instanceID = regexp.MustCompile(`^i-([0-9a-z]{8}|[0-9a-z]{17})$`)

const privateDNSName = "{{EC2PrivateDNSName}}"

// fill replaces the templates in the name and the groups, as aws-iam-authenticator does.
func (a *Authenticator) fill(admission Admission, p Principal) (Admission, error) {
	values := []string{
		"{{AccountID}}", p.AccountID, "{{AccessKeyID}}", p.AccessKeyID,
		"{{SessionName}}", strings.ReplaceAll(p.SessionName, "@", "-"), "{{SessionNameRaw}}", p.SessionName,
	}
	if strings.Contains(admission.Username+strings.Join(admission.Groups, ""), privateDNSName) {
		name, err := a.nodeName(p)
		if err != nil {
			return Admission{}, fmt.Errorf("%s has the template %s: %w", admission.By, privateDNSName, err)
		}
		values = append(values, privateDNSName, name)
	}
	templates := strings.NewReplacer(values...)
	filled := Admission{Username: templates.Replace(admission.Username), By: admission.By, Policies: admission.Policies}
	for _, group := range admission.Groups {
		filled.Groups = append(filled.Groups, templates.Replace(group))
	}
	return filled, nil
}

// nodeName is the private DNS name of the instance that a session is of.
func (a *Authenticator) nodeName(p Principal) (string, error) {
	if !instanceID.MatchString(p.SessionName) {
		return "", fmt.Errorf("the session name %s is not an instance's id", quote(p.SessionName))
	}
	if a.PrivateDNSName != nil {
		if name, found := a.PrivateDNSName(p.SessionName); found {
			return name, nil
		}
	}
	return "", fmt.Errorf("there is no instance %s", p.SessionName)
}
