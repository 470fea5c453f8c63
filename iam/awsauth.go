package iam

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// AWSAuth is what the ConfigMap aws-auth in kube-system says: the principals that it lets into its cluster.
type AWSAuth struct {
	roles, users map[string]awsAuthMapping // by the ARN in lower case: aws-iam-authenticator does not tell cases apart
	accounts     map[string]bool
}

// awsAuthMapping is an item of mapRoles or mapUsers. JSON's decoder takes the names of members in any letter case, as
// EKS does.
type awsAuthMapping struct {
	ARN      string   `json:"-"`
	RoleARN  string   `json:"rolearn"`
	UserARN  string   `json:"userarn"`
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

// ParseAWSAuth reads the ConfigMap's data. What is malformed is skipped, and told of in problems, one sentence each: a
// cluster must not lose everybody because of one line. That is how aws-iam-authenticator does it, too.
func ParseAWSAuth(data map[string]string) (auth AWSAuth, problems []string) {
	tell := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	auth.roles = parseMappings("mapRoles", data, func(m awsAuthMapping) string { return m.RoleARN }, tell)
	auth.users = parseMappings("mapUsers", data, func(m awsAuthMapping) string { return m.UserARN }, tell)
	for arn, role := range auth.roles {
		if _, path, found := strings.Cut(arn, ":role/"); found && strings.Contains(path, "/") {
			tell("mapRoles has %s, which lets nobody in: leave the path out of the ARN", quoteARN(role.ARN))
		}
	}
	var accounts []string
	if text := data["mapAccounts"]; !isBlank(text) {
		if err := yaml.Unmarshal([]byte(text), &accounts); err != nil {
			tell("mapAccounts is not a list of account ids: %v", err)
		}
	}
	auth.accounts = map[string]bool{}
	for _, account := range accounts {
		// without quotes YAML takes an id for a number, and its first zeros away
		zeros := strings.Repeat("0", max(0, 12-len(account)))
		auth.accounts[zeros+account] = true
	}
	return auth, problems
}

func parseMappings(
	field string, data map[string]string, arnOf func(awsAuthMapping) string, tell func(string, ...any),
) map[string]awsAuthMapping {
	mappings := map[string]awsAuthMapping{}
	text := data[field]
	if isBlank(text) {
		return mappings
	}
	var items []awsAuthMapping
	if err := yaml.Unmarshal([]byte(text), &items); err != nil {
		tell("%s has an error; what can be read of it counts: %v", field, err)
	}
	for i, item := range items {
		if item.ARN = arnOf(item); item.ARN == "" {
			tell("%s: item %d has no ARN and is skipped", field, i+1)
			continue
		}
		mappings[strings.ToLower(item.ARN)] = item // the last of several counts
	}
	return mappings
}

// isBlank also says yes to what people leave when they empty a field.
func isBlank(text string) bool {
	trimmed := strings.TrimSpace(text)
	return trimmed == "" || trimmed == "``" || trimmed == `""`
}

// mapping finds what is said of a principal. Roles go first.
func (a AWSAuth) mapping(canonicalARN string) (awsAuthMapping, bool) {
	key := strings.ToLower(canonicalARN)
	if role, found := a.roles[key]; found {
		return role, true
	}
	user, found := a.users[key]
	return user, found
}

// Maps says whether a principal is mapped, by its canonical ARN.
func (a AWSAuth) Maps(canonicalARN string) bool {
	_, found := a.mapping(canonicalARN)
	return found
}
