package acm

import (
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxTags is how many tags a certificate may have.
const maxTags = 50

// tag is a tag; on removal its value may be left out.
type tag struct {
	Key   string
	Value *string `json:",omitempty"`
}

// newTags are given tags as a map, which become condition keys of the call.
func newTags(call *operation.Call, given []tag) (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range given {
		switch {
		case t.Key == "" || len(t.Key) > 128 || t.Value != nil && len(*t.Value) > 256:
			return nil, invalid("Tag keys must have 1 to 128 characters, and values up to 256.")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, refuse("InvalidTagException", "AWS internal tags cannot be changed with this API: %s", wire.Clip(t.Key))
		}
		tags[t.Key] = ""
		if t.Value != nil {
			tags[t.Key] = *t.Value
		}
	}
	if len(tags) > maxTags {
		return nil, tooManyTags()
	}
	call.Keys = call.Keys.With(operation.TagKeys(tags, nil))
	return tags, nil
}

func tooManyTags() error {
	return refuse("TooManyTagsException", "The certificate would have more than %d tags.", maxTags)
}

type tagsInput struct {
	named
	Tags []tag
}

func (s *Service) addTags(call *operation.Call, in *tagsInput) (*none, error) {
	given, err := newTags(call, in.Tags)
	if err != nil {
		return nil, err
	}
	return s.change(call, in.CertificateArn, func(c *region.Certificate) error {
		all := map[string]string{}
		maps.Copy(all, c.Tags)
		maps.Copy(all, given)
		if c.Tags = all; len(all) > maxTags {
			return tooManyTags()
		}
		return nil
	})
}

// removeTags takes tags away: one that is given with a value only where it has that.
func (s *Service) removeTags(call *operation.Call, in *tagsInput) (*none, error) {
	var keys []string
	for _, t := range in.Tags {
		keys = append(keys, t.Key)
	}
	call.Keys = call.Keys.With(operation.TagKeys(nil, keys))
	return s.change(call, in.CertificateArn, func(c *region.Certificate) error {
		for _, t := range in.Tags {
			if t.Value == nil || c.Tags[t.Key] == *t.Value {
				delete(c.Tags, t.Key)
			}
		}
		return nil
	})
}

type tagsOutput struct{ Tags []tag }

func (s *Service) listTags(call *operation.Call, in *named) (*tagsOutput, error) {
	out := &tagsOutput{Tags: []tag{}}
	return out, s.view(call, in.CertificateArn, func(_ *state.Txn, c region.Certificate) error {
		for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
			value := c.Tags[key]
			out.Tags = append(out.Tags, tag{key, &value})
		}
		return nil
	})
}
