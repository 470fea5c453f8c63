package kms

import (
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

// Condition keys of KMS, all that "AWS KMS condition keys" of its guide has for what there is here. Those of custom key
// stores and enclaves are absent, as they are in AWS from requests about other things.

// keysOf are the condition keys that a request brings, beside those of its key.
func (s *Service) keysOf(r request, action string) iam.Keys {
	keys := r.call.Keys.With(r.about, iam.Keys{"kms:calleraccount": {r.call.Principal.AccountID}})
	context := r.context
	if r.grant != nil {
		context = r.grant.addKeys(keys)
	}
	for name, value := range context {
		key := "kms:encryptioncontext:" + strings.ToLower(name)
		keys[key] = append(keys[key], value) // names that differ by case alone are one key: both values count
		keys["kms:encryptioncontextkeys"] = append(keys["kms:encryptioncontextkeys"], name)
	}
	if slices.Contains([]string{"CreateGrant", "ListGrants", "RevokeGrant"}, action) {
		keys["kms:grantisforawsresource"] = []string{strconv.FormatBool(r.service != "")}
	}
	if r.service != "" {
		keys["kms:viaservice"], keys["aws:viaawsservice"] = []string{r.service}, []string{"true"}
	}
	if alias := aliasIn(r); alias != "" {
		keys["kms:requestalias"] = []string{alias}
	}
	return keys
}

// aliasIn is the alias by which a request names its key; empty where it does not.
func aliasIn(r request) string {
	name := r.id
	if r.named != "" {
		name = r.named
	}
	if parts := strings.SplitN(name, ":", 6); len(parts) == 6 {
		name = parts[5]
	}
	if !strings.HasPrefix(name, "alias/") {
		return ""
	}
	return name
}

// addKeys adds the condition keys of a grant that shall be made, and returns the encryption context that it asks for.
func (g Grant) addKeys(keys iam.Keys) map[string]string {
	keys["kms:grantoperations"] = g.Operations
	keys["kms:granteeprincipal"] = []string{g.Grantee}
	if g.Retiring != "" {
		keys["kms:retiringprincipal"] = []string{g.Retiring}
	}
	switch {
	case len(g.Equals) > 0:
		keys["kms:grantconstrainttype"] = append(keys["kms:grantconstrainttype"], "EncryptionContextEquals")
		return g.Equals
	case len(g.Subset) > 0:
		keys["kms:grantconstrainttype"] = append(keys["kms:grantconstrainttype"], "EncryptionContextSubset")
	}
	return g.Subset
}

// keysAbout are the condition keys of a key that there is.
func (s *Service) keysAbout(tx *state.Txn, key Key) iam.Keys {
	keys := iam.TagKeys("aws:ResourceTag",
		key.Tags).With(kindKeys(key.spec(), key.usage(), key.origin(), key.multiRegion()))
	for _, a := range aliases.List(tx) {
		if a.KeyID == key.ID {
			keys["kms:resourcealiases"] = append(keys["kms:resourcealiases"], a.Name)
		}
	}
	return keys
}

// kindKeys are the condition keys of a key's kind. Each has an older name.
func kindKeys(spec, usage, origin string, multiRegion bool) iam.Keys {
	keys := iam.Keys{"kms:keyspec": {spec}, "kms:customermasterkeyspec": {spec}, "kms:keyorigin": {origin},
		"kms:multiregion": {strconv.FormatBool(multiRegion)}}
	if multiRegion {
		keys["kms:multiregionkeytype"] = []string{"PRIMARY"}
	}
	if usage != "" {
		keys["kms:keyusage"], keys["kms:customermasterkeyusage"] = []string{usage}, []string{usage}
	}
	return keys
}

// bypassing is the condition key of a call that can put a policy which shuts its author out.
func bypassing(bypass bool) iam.Keys {
	return iam.Keys{"kms:bypasspolicylockoutsafetycheck": {strconv.FormatBool(bypass)}}
}

// number is a condition key with a number.
func number(key string, n int) iam.Keys { return iam.Keys{key: {strconv.Itoa(n)}} }

// may authorizes a caller for what is no key: all keys, or an alias. Key policies have no say in it.
func (s *Service) may(call *operation.Call, action, resource string, about iam.Keys) error {
	return call.Authorize(wire.AWSJSON, "kms:"+action, resource, about,
		iam.Keys{"kms:calleraccount": {call.Principal.AccountID}})
}
