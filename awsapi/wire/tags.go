package wire

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	// tagParam and tagKeyParam are how the query protocols write a tag that a request gives, and the key of one that it
	// takes away.
	tagParam    = regexp.MustCompile(`^(?:TagSpecification\.\d+\.)?Tags?\.(?:member\.)?\d+\.Key$`)
	tagKeyParam = regexp.MustCompile(`^TagKeys\.(?:member\.)?\d+$`)
)

// QueryTags are the tags that a request gives by its parameters in the query protocols, and the keys of those that it
// takes away. Services differ in how they write tags, but not so much that each would need a rule of its own.
func QueryTags(params url.Values) (given map[string]string, removed []string) {
	given = map[string]string{}
	for name, values := range params {
		switch {
		case tagParam.MatchString(name):
			given[values[0]] = params.Get(strings.TrimSuffix(name, "Key") + "Value")
		case tagKeyParam.MatchString(name):
			removed = append(removed, values...)
		}
	}
	return given, removed
}

// Tags are the tags that an input with a schema gives, and the keys of those that it takes away. They are a map, or a
// list of pairs: Key and Value, or TagKey and TagValue as KMS has it.
func (in *Input) Tags() (given map[string]string, removed []string) {
	given = map[string]string{}
	for name, member := range in.members {
		// The name is the schema's: it has one of each, and services write it in one case or another.
		switch strings.ToLower(name) {
		case "tags":
			addTags(member, given)
		case "tagkeys":
			removed = append(removed, valuesAt(member, nil)...)
		}
	}
	return given, removed
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
