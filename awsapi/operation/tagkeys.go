package operation

import (
	"maps"
	"slices"

	"tripod/iam"
)

// TagKeys are the condition keys aws:RequestTag and aws:TagKeys of a request that gives these tags and takes away those
// with the removed keys.
func TagKeys(given map[string]string, removed []string) iam.Keys {
	if len(given) == 0 && len(removed) == 0 {
		return nil
	}
	keys := iam.TagKeys("aws:RequestTag", given)
	keys["aws:tagkeys"] = slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(removed, maps.Keys(given)))))
	return keys
}
