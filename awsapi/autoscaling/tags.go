package autoscaling

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	groupResource = "auto-scaling-group"
	maxTags       = 50
)

type tag struct {
	ResourceID        string `query:"ResourceId" xml:"ResourceId" json:"ResourceId"`
	ResourceType      string
	Key, Value        string
	PropagateAtLaunch bool
}

type tagsInput struct {
	Tags []tag
}

// putTags gives a group tags, over those that it has.
func putTags(g *region.AutoScalingGroup, tags []tag) error {
	g.Tags = slices.Clone(g.Tags)
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return invalid("The tag key %s is reserved: it must not begin with aws:.", t.Key)
		}
		made := region.GroupTag{Key: t.Key, Value: t.Value, Propagate: t.PropagateAtLaunch}
		if i := slices.IndexFunc(g.Tags, func(has region.GroupTag) bool { return has.Key == t.Key }); i >= 0 {
			g.Tags[i] = made
		} else {
			g.Tags = append(g.Tags, made)
		}
	}
	if len(g.Tags) > maxTags {
		return refuse("LimitExceeded", "The number of tags exceeds the limit of %d.", maxTags)
	}
	slices.SortFunc(g.Tags, func(a, b region.GroupTag) int { return cmp.Compare(a.Key, b.Key) })
	return nil
}

func (s *Service) createTags(call *operation.Call, in *tagsInput) (*none, error) {
	return s.editTags(call, in.Tags, func(g *region.AutoScalingGroup, t tag) error { return putTags(g, []tag{t}) })
}

func (s *Service) deleteTags(call *operation.Call, in *tagsInput) (*none, error) {
	return s.editTags(call, in.Tags, func(g *region.AutoScalingGroup, t tag) error {
		g.Tags = slices.DeleteFunc(slices.Clone(g.Tags), func(has region.GroupTag) bool { return has.Key == t.Key })
		return nil
	})
}

// editTags changes the groups' tags one by one: those of all, or of none. The caller needs a permission for each group.
func (s *Service) editTags(call *operation.Call, tags []tag,
	edit func(*region.AutoScalingGroup, tag) error) (*none, error) {
	given := map[string]string{}
	for _, t := range tags {
		given[t.Key] = t.Value
	}
	return change(s, call, &none{}, func(tx *state.Txn) error {
		for _, t := range tags {
			if t.ResourceType != "" && t.ResourceType != groupResource {
				return invalid("The resource type %s is not valid: it must be %s.", t.ResourceType, groupResource)
			}
			g, err := s.group(tx, t.ResourceID)
			if err != nil {
				return err
			}
			err = call.Authorize(wire.Query, Name+":"+call.Operation, g.ARN, operation.TagKeys(given, nil),
				iam.TagKeys("aws:ResourceTag", tagMap(g)), iam.TagKeys("autoscaling:ResourceTag", tagMap(g)))
			if err != nil {
				return err
			}
			if err := edit(&g, t); err != nil {
				return err
			}
			region.AutoScalingGroups.Put(tx, g.Name, g)
		}
		return nil
	})
}

func tagMap(g region.AutoScalingGroup) map[string]string {
	tags := map[string]string{}
	for _, t := range g.Tags {
		tags[t.Key] = t.Value
	}
	return tags
}

type describeTagsInput struct {
	pageInput
	Filters []filter
}

type describeTagsOutput struct {
	Tags      wire.QueryList[tag]
	NextToken string `xml:",omitempty" json:",omitempty"`
}

// tagFilters are what tags are filtered by.
var tagFilters = map[string]func(tag) string{
	groupResource:         func(t tag) string { return t.ResourceID },
	"key":                 func(t tag) string { return t.Key },
	"value":               func(t tag) string { return t.Value },
	"propagate-at-launch": func(t tag) string { return strconv.FormatBool(t.PropagateAtLaunch) },
}

func (s *Service) describeTags(call *operation.Call, in *describeTagsInput) (*describeTagsOutput, error) {
	var all []tag
	err := s.State.View(func(tx *state.Txn) error {
		for _, g := range region.AutoScalingGroups.List(tx) {
			for _, t := range g.Tags {
				all = append(all, tag{g.Name, groupResource, t.Key, t.Value, t.Propagate})
			}
		}
		for _, g := range s.simulatedGroups(tx) {
			all = append(all, g.tags()...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range in.Filters {
		value := tagFilters[f.Name]
		if value == nil {
			return nil, invalid("Filter type %s is not correct. Allowed Filter types are: auto-scaling-group key value "+
				"propagate-at-launch", f.Name)
		}
		all = slices.DeleteFunc(all, func(t tag) bool {
			return !slices.ContainsFunc(f.Values, func(v string) bool {
				return v == value(t) || f.Name == "propagate-at-launch" && strings.EqualFold(v, value(t))
			})
		})
	}
	out := &describeTagsOutput{}
	out.Tags, out.NextToken,
		err = cut(call, in.pageInput, 50, all, func(t tag) string { return t.ResourceID + "/" + t.Key })
	return out, err
}
