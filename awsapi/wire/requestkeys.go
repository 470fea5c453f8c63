package wire

import (
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tripod/iam"
)

var (
	// tagParam and tagKeyParam are how the query protocols write a tag that a request gives, and the key of one that it takes away.
	tagParam    = regexp.MustCompile(`^(?:TagSpecification\.\d+\.)?Tags?\.(?:member\.)?\d+\.Key$`)
	tagKeyParam = regexp.MustCompile(`^TagKeys\.(?:member\.)?\d+$`)
)

// TagKeys are aws:RequestTag and aws:TagKeys of a request's parameters and its body in JSON: the tags that it gives, and the keys of
// those that it takes away. Services differ in how they write tags, but not so much that each would need a rule of its own.
func TagKeys(params url.Values, body []byte) iam.Keys {
	tags, removed := map[string]string{}, map[string]bool{}
	for name, values := range params {
		switch {
		case tagParam.MatchString(name):
			tags[values[0]] = params.Get(strings.TrimSuffix(name, "Key") + "Value")
		case tagKeyParam.MatchString(name), name == "tagKeys":
			for _, key := range values {
				removed[key] = true
			}
		}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil {
		for name, raw := range members {
			switch strings.ToLower(name) { // as encoding/json reads it for services
			case "tags":
				addTags(raw, tags)
			case "tagkeys":
				var names []string
				json.Unmarshal(raw, &names) // what is none has none
				for _, key := range names {
					removed[key] = true
				}
			}
		}
	}
	if len(tags) == 0 && len(removed) == 0 {
		return nil
	}
	for key := range tags {
		removed[key] = true
	}
	keys := iam.TagKeys("aws:RequestTag", tags)
	keys["aws:tagkeys"] = slices.Sorted(maps.Keys(removed))
	return keys
}

// addTags reads tags from a map, or a list of pairs: {"Key", "Value"}, or {"TagKey", "TagValue"} as KMS has it.
func addTags(raw []byte, tags map[string]string) {
	if json.Unmarshal(raw, &tags) == nil {
		return
	}
	var pairs []struct{ Key, Value, TagKey, TagValue string }
	json.Unmarshal(raw, &pairs) // what is neither has no tags
	for _, pair := range pairs {
		tags[pair.Key+pair.TagKey] = pair.Value + pair.TagValue
	}
}
