package iamapi

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"tripod/iam"
	"tripod/state"
)

const (
	maxPolicySize   = 6144 // of a managed policy, in characters that are not white space
	maxTrustSize    = 2048
	maxUserInline   = 2048 // of all inline policies of one user together; of a group's and a role's:
	maxGroupInline  = 5120
	maxRoleInline   = 10240
	maxManagedOfOne = 10 // managed policies attached to one entity
)

// Tag is a tag as calls and answers have it.
type Tag struct {
	Key   string `query:",required"`
	Value string
}

// checkTags makes a map of new tags; have are those that there are already. Keys that differ by case alone are one: the
// new tag replaces the old one.
func checkTags(have map[string]string, tags []Tag) (map[string]string, error) {
	all, seen := map[string]string{}, map[string]bool{}
	for key, value := range have {
		all[key] = value
	}
	for _, tag := range tags {
		switch {
		case iam.IsReservedTag(tag.Key):
			return nil, invalidInput("Tag keys beginning with aws: are reserved for system use.")
		case seen[strings.ToLower(tag.Key)]:
			return nil, invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[strings.ToLower(tag.Key)] = true
		maps.DeleteFunc(all, func(key, _ string) bool { return strings.EqualFold(key, tag.Key) })
		all[tag.Key] = tag.Value
	}
	if len(all) > iam.MaxTags {
		return nil, limitExceeded("Cannot exceed quota for TagsPerResource: %d", iam.MaxTags)
	}
	return all, nil
}

// tagList is tags as answers have them, sorted by key.
func tagList(tags map[string]string) list[Tag] {
	out := make(list[Tag], 0, len(tags))
	for _, key := range sortedKeys(tags) {
		out = append(out, Tag{key, tags[key]})
	}
	return out
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// policySize is how IAM counts a policy: without white space.
func policySize(document string) int {
	return utf8.RuneCountInString(strings.Join(strings.Fields(document), ""))
}

func checkTrust(document string) error {
	if err := iam.CheckTrust(document); err != nil {
		return malformedPolicy(err)
	}
	if policySize(document) > maxTrustSize {
		return limitExceeded("Cannot exceed quota for ACLSizePerRole: %d", maxTrustSize)
	}
	return nil
}

// checkInline checks the document of an inline policy.
func checkInline(document string) error { return checkIdentity(document, iam.CheckIdentity) }

func checkIdentity(document string, check func(string) error) error {
	if err := check(document); err != nil {
		return malformedPolicy(err)
	}
	if policySize(document) > maxPolicySize*2 { // of inline policies the sum counts, where they are put
		return limitExceeded("The policy document is too large.")
	}
	return nil
}

// checkBoundary refuses a permissions boundary that is not there.
func checkBoundary(tx *state.Txn, arn string) error {
	if arn == "" { // an empty key stands for the whole table
		return nil
	}
	if _, found := iam.PolicyDocument(tx, arn); !found {
		return notThere(kindPolicy, arn)
	}
	return nil
}

// boundary is a permissions boundary as answers have it.
type boundary struct {
	Type string `xml:"PermissionsBoundaryType" json:"PermissionsBoundaryType"`
	ARN  string `xml:"PermissionsBoundaryArn" json:"PermissionsBoundaryArn"`
}

func boundaryOf(arn string) *boundary {
	if arn == "" {
		return nil
	}
	return &boundary{"Policy", arn}
}
