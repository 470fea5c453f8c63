package iam

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"tripod/api"
	"tripod/region"
)

// AccessPolicyPrefix is how the ARNs of EKS's access policies begin; the name follows.
const AccessPolicyPrefix = "arn:aws:eks::aws:cluster-access-policy/"

// AccessPolicy is one of the policies that AWS manages for access entries: what it allows inside a cluster.
type AccessPolicy struct {
	Name string `json:"-"`
	// Source is the AWS document that tells the rules, or says that none does. A policy that AWS describes in words only
	// has the rules that follow from them; one whose rules AWS does not publish allows nothing here.
	Source string `json:"source"`
	// ServiceLinked says that the policy is for service-linked roles, and cannot be associated with others.
	ServiceLinked bool         `json:"serviceLinked"`
	Rules         []AccessRule `json:"rules"`
}

// AccessRule allows verbs on resources, or on paths that are none. It means what a rule of a Kubernetes ClusterRole
// means.
type AccessRule struct {
	APIGroups       []string `json:"apiGroups"`
	Resources       []string `json:"resources"`
	ResourceNames   []string `json:"resourceNames"`
	NonResourceURLs []string `json:"nonResourceURLs"`
	Verbs           []string `json:"verbs"`
}

//go:embed accesspolicies.json
var accessPoliciesText []byte

// AccessPolicies are all that EKS lists, in the order of their names.
var AccessPolicies = sync.OnceValue(func() []AccessPolicy {
	var byName map[string]AccessPolicy
	if err := json.Unmarshal(accessPoliciesText, &byName); err != nil {
		panic("iam: accesspolicies.json: " + err.Error()) // a part of the program
	}
	policies := make([]AccessPolicy, 0, len(byName))
	for name, policy := range byName {
		policy.Name = name
		policies = append(policies, policy)
	}
	slices.SortFunc(policies, func(a, b AccessPolicy) int { return strings.Compare(a.Name, b.Name) })
	return policies
})

// AccessPolicyOf finds a policy by its ARN.
func AccessPolicyOf(arn string) (AccessPolicy, bool) {
	name, isPolicy := strings.CutPrefix(arn, AccessPolicyPrefix)
	policies := AccessPolicies()
	i, found := slices.BinarySearchFunc(policies, name,
		func(p AccessPolicy, name string) int { return strings.Compare(p.Name, name) })
	if !isPolicy || !found {
		return AccessPolicy{}, false
	}
	return policies[i], true
}

// allows says whether the policy allows a request.
func (p AccessPolicy) allows(r api.Action) bool {
	return slices.ContainsFunc(p.Rules, func(rule AccessRule) bool { return rule.allows(r) })
}

func (r AccessRule) allows(request api.Action) bool {
	switch {
	case !has(r.Verbs, request.Verb):
		return false
	case request.Path != "":
		return slices.ContainsFunc(r.NonResourceURLs, func(url string) bool {
			prefix, open := strings.CutSuffix(url, "*")
			return url == request.Path || open && strings.HasPrefix(request.Path, prefix)
		})
	case !has(r.APIGroups, request.Group) || len(r.ResourceNames) > 0 && !slices.Contains(r.ResourceNames, request.Name):
		return false
	case request.Subresource == "":
		return has(r.Resources, request.Resource)
	}
	return has(r.Resources, request.Resource+"/"+request.Subresource) ||
		slices.Contains(r.Resources, "*/"+request.Subresource)
}

// has says whether a rule names something, or all by *.
func has(named []string, one string) bool {
	return slices.Contains(named, "*") || slices.Contains(named, one)
}

// covers says whether an association's scope has the request's namespace in it. Without a namespace, only the whole
// cluster has.
func covers(associated region.AssociatedPolicy, namespace string) bool {
	if associated.Scope == "cluster" {
		return true
	}
	return namespace != "" && slices.ContainsFunc(associated.Namespaces, func(pattern string) bool {
		expanded, _ := expand(pattern, nil, false)
		return expanded.matches(namespace)
	})
}
