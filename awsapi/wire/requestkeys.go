package wire

import (
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

// TagKeys are aws:RequestTag and aws:TagKeys of a request's parameters in the query protocols: the tags that it gives, and the keys of those that it
// takes away. Services differ in how they write tags, but not so much that each would need a rule of its own.
func TagKeys(params url.Values) iam.Keys {
	tags, removed := map[string]string{}, []string{}
	for name, values := range params {
		switch {
		case tagParam.MatchString(name):
			tags[values[0]] = params.Get(strings.TrimSuffix(name, "Key") + "Value")
		case tagKeyParam.MatchString(name):
			removed = append(removed, values...)
		}
	}
	return tagKeysOf(tags, removed)
}

// TagKeys are those of an input with a schema: its tags are a map, or a list of pairs: Key and Value, or TagKey and TagValue as KMS has it.
func (in *Input) TagKeys() iam.Keys {
	tags, removed := map[string]string{}, []string{}
	for name, member := range in.members {
		switch strings.ToLower(name) { // of the schema: it has one of each, and services write it in one case or another
		case "tags":
			addTags(member, tags)
		case "tagkeys":
			removed = append(removed, valuesAt(member, nil)...)
		}
	}
	return tagKeysOf(tags, removed)
}

func addTags(value tree, tags map[string]string) {
	switch value := value.(type) {
	case map[string]tree:
		for key, one := range value {
			tags[key] = textOf(one)
		}
	case []tree:
		for _, item := range value {
			pair, _ := item.(map[string]tree)
			tags[textOf(pair["Key"])+textOf(pair["TagKey"])] = textOf(pair["Value"]) + textOf(pair["TagValue"])
		}
	}
}

func tagKeysOf(tags map[string]string, removed []string) iam.Keys {
	if len(tags) == 0 && len(removed) == 0 {
		return nil
	}
	keys := iam.TagKeys("aws:RequestTag", tags)
	keys["aws:tagkeys"] = slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(removed, maps.Keys(tags)))))
	return keys
}
