package elb

import (
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxTags is how many tags a resource may have.
const maxTags = 50

// tag is a tag of either API; on removal the classic one gives keys alone.
type tag struct {
	Key   string
	Value string
}

// newTags are given tags as a map.
func newTags(given []tag) (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range given {
		if _, twice := tags[t.Key]; twice {
			return nil, refuse("DuplicateTagKeys", "Tag key was specified more than once: %s", t.Key)
		}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, invalid("Tag keys cannot start with 'aws:': %s", t.Key)
		}
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, refuse("TooManyTags", "You've reached the limit on the number of tags per resource.")
	}
	return tags, nil
}

// laidOver are the tags of a resource with others laid over them.
func laidOver(tags, given map[string]string) (map[string]string, error) {
	all := map[string]string{}
	maps.Copy(all, tags)
	maps.Copy(all, given)
	if len(all) > maxTags {
		return nil, refuse("TooManyTags", "You've reached the limit on the number of tags per resource.")
	}
	return all, nil
}

func shownTags(tags map[string]string) (all wire.QueryList[tag]) {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, tag{key, tags[key]})
	}
	return all
}

// editTags has edit change the tags of the resource with that ARN, and stores what it returns. The refusal says what is not
// there, in the words for its kind.
func editTags(tx *state.Txn, arn string, edit func(map[string]string) (map[string]string, error)) error {
	var err error
	switch {
	case strings.Contains(arn, ":listener/"):
		l, _, missing := listener(tx, arn)
		if missing != nil {
			return missing
		}
		if l.Tags, err = edit(l.Tags); err == nil {
			region.Listeners.Put(tx, l.Key(), l)
		}
	case strings.Contains(arn, ":listener-rule/"):
		r, _, missing := rule(tx, arn)
		if missing != nil {
			return missing
		}
		if r.Tags, err = edit(r.Tags); err == nil && r.Priority > 0 { // the default rule's are nobody's
			region.ListenerRules.Put(tx, r.Key(), r)
		}
	case strings.Contains(arn, ":targetgroup/"):
		g, missing := targetGroup(tx, arn)
		if missing != nil {
			return missing
		}
		if g.Tags, err = edit(g.Tags); err == nil {
			region.TargetGroups.Put(tx, g.Name, g)
		}
	default:
		b, missing := balancer(tx, arn)
		if missing != nil {
			return missing
		}
		if b.Tags, err = edit(b.Tags); err == nil {
			region.LoadBalancers.Put(tx, b.Key(), b)
		}
	}
	return err
}

// tagsOf are the tags of the resource with that ARN; none where there is none.
func tagsOf(tx *state.Txn, arn string) map[string]string {
	tags, _ := findTags(tx, arn)
	return tags
}

func findTags(tx *state.Txn, arn string) (map[string]string, error) {
	switch {
	case strings.Contains(arn, ":listener/"):
		l, _, err := listener(tx, arn)
		return l.Tags, err
	case strings.Contains(arn, ":listener-rule/"):
		r, _, err := rule(tx, arn)
		return r.Tags, err
	case strings.Contains(arn, ":targetgroup/"):
		g, err := targetGroup(tx, arn)
		return g.Tags, err
	}
	b, err := balancer(tx, arn)
	return b.Tags, err
}

type addTagsInput struct {
	ResourceArns []string
	Tags         []tag
}

func (s *Service) addTags(call *operation.Call, in *addTagsInput) (*none, error) {
	given, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return change(s, call, func(tx *state.Txn, _ *none) error {
		for _, arn := range in.ResourceArns {
			if err := editTags(tx, arn, func(tags map[string]string) (map[string]string, error) {
				return laidOver(tags, given)
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

type removeTagsInput struct{ ResourceArns, TagKeys []string }

func (s *Service) removeTags(call *operation.Call, in *removeTagsInput) (*none, error) {
	return change(s, call, func(tx *state.Txn, _ *none) error {
		for _, arn := range in.ResourceArns {
			if err := editTags(tx, arn, func(tags map[string]string) (map[string]string, error) {
				return withoutKeys(tags, in.TagKeys), nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

func withoutKeys(tags map[string]string, gone []string) map[string]string {
	left := maps.Clone(tags)
	maps.DeleteFunc(left, func(key, _ string) bool { return slices.Contains(gone, key) })
	return left
}

// maxDescribedTags is of how many resources one call tells the tags.
const maxDescribedTags = 20

type describeTagsInput struct{ ResourceArns []string }

type tagDescription struct {
	ResourceArn string
	Tags        wire.QueryList[tag]
}

type describeTagsOutput struct {
	TagDescriptions wire.QueryList[tagDescription]
}

func (s *Service) describeTags(call *operation.Call, in *describeTagsInput) (*describeTagsOutput, error) {
	if len(in.ResourceArns) > maxDescribedTags {
		return nil, invalid("Cannot have more than %d resources described", maxDescribedTags)
	}
	return view(s, call, func(tx *state.Txn, out *describeTagsOutput) error {
		for _, arn := range in.ResourceArns {
			tags, err := findTags(tx, arn)
			if err != nil {
				return err
			}
			out.TagDescriptions = append(out.TagDescriptions, tagDescription{arn, shownTags(tags)})
		}
		return nil
	})
}
