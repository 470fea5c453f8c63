package iam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"tripod/region"
	"tripod/state"
)

// managedPrefix is how the ARNs of AWS's own policies begin; the path without its first / and the name follow.
const managedPrefix = "arn:aws:iam::aws:policy"

//go:embed managed.json
var managedText []byte

// ManagedPolicy is one of AWS's own managed policies. It cannot be changed, and is in no record.
type ManagedPolicy struct {
	Name        string `json:"name"`
	Path        string `json:"path"`
	Description string `json:"description"`
	// Shortened says that AWS's document has more statements or actions, of services that Tripod has not.
	Shortened bool            `json:"shortened"`
	Document  json.RawMessage `json:"document"`
}

// ARN is the policy's.
func (p ManagedPolicy) ARN() string { return managedPrefix + p.Path + p.Name }

// ManagedPolicies are those of AWS's managed policies that users of EKS attach, sorted by name: after "AWS managed
// policy reference".
var ManagedPolicies = sync.OnceValue(func() []ManagedPolicy {
	var policies []ManagedPolicy
	if err := json.Unmarshal(managedText, &policies); err != nil {
		panic(fmt.Sprintf("iam: managed.json: %v", err)) // a fault of the file: every test meets it
	}
	return policies
})

// managedDocuments are the texts of ManagedPolicies, by ARN.
var managedDocuments = sync.OnceValue(func() map[string]string {
	documents := make(map[string]string)
	for _, p := range ManagedPolicies() {
		documents[p.ARN()] = string(p.Document)
	}
	return documents
})

// IsManaged says whether an ARN is that of a policy of AWS's own, whether there is one or not.
func IsManaged(arn string) bool { return strings.HasPrefix(arn, managedPrefix+"/") }

// PolicyDocument is the text in force of a managed policy, AWS's own or the account's, and whether there is such a
// policy.
func PolicyDocument(tx *state.Txn, arn string) (string, bool) {
	if IsManaged(arn) {
		document, found := managedDocuments()[arn]
		return document, found
	}
	policy, found := region.Policies.Get(tx, arn)
	return policy.Document(), found
}
