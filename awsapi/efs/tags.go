package efs

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// newTags are given tags as a map.
func newTags(given []types.Tag) (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range given {
		if _, twice := tags[*t.Key]; twice {
			return nil, badRequest("Duplicate tag key: '%s'", *t.Key)
		}
		if strings.HasPrefix(strings.ToLower(*t.Key), "aws:") {
			return nil, badRequest("Tag keys cannot start with 'aws:': %s", *t.Key)
		}
		tags[*t.Key] = *t.Value
	}
	return tags, checkCount(tags)
}

func checkCount(tags map[string]string) error {
	if len(tags) > maxTags {
		return badRequest("You've reached the limit on the number of tags per resource (%d).", maxTags)
	}
	return nil
}

func shownTags(tags map[string]string) []types.Tag {
	all := []types.Tag{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return all
}

// nameIn is a resource's name: its tag Name.
func nameIn(tags map[string]string) *string {
	if name, found := tags["Name"]; found {
		return &name
	}
	return nil
}

// tagged is a file system or an access point by its id or ARN, whom the caller may do the call to.
func (s *Service) tagged(tx *state.Txn, call *operation.Call, id *string) (tags map[string]string, set func(map[string]string), err error) {
	if name := short(id); strings.HasPrefix(name, "fsap-") {
		p, found := region.AccessPoints.Get(tx, name)
		if err := s.permit(call, "access-point/"+name, p.Tags); err != nil {
			return nil, nil, err
		}
		if !found {
			return nil, nil, noAccessPoint(name)
		}
		return p.Tags, func(tags map[string]string) {
			p.Tags = tags
			region.AccessPoints.Put(tx, p.ID, p)
		}, nil
	}
	f, err := s.fileSystem(tx, call, id)
	return f.Tags, func(tags map[string]string) {
		region.ChangeFileSystem(tx, f.ID, func(f *region.FileSystem) { f.Tags = tags })
	}, err
}

// retag changes a resource's tags.
func (s *Service) retag(call *operation.Call, id *string, given []types.Tag, removed []string) error {
	changed, err := newTags(given)
	if err != nil {
		return err
	}
	return s.update(call, func(tx *state.Txn) error {
		tags, set, err := s.tagged(tx, call, id)
		if err != nil {
			return err
		}
		all := map[string]string{}
		maps.Copy(all, tags)
		maps.Copy(all, changed)
		for _, key := range removed {
			delete(all, key)
		}
		if err := checkCount(all); err != nil {
			return err
		}
		set(all)
		return nil
	})
}

func (s *Service) tagResource(call *operation.Call, in *efs.TagResourceInput) (*efs.TagResourceOutput, error) {
	return &efs.TagResourceOutput{}, s.retag(call, in.ResourceId, in.Tags, nil)
}

func (s *Service) untagResource(call *operation.Call, in *efs.UntagResourceInput) (*efs.UntagResourceOutput, error) {
	return &efs.UntagResourceOutput{}, s.retag(call, in.ResourceId, nil, in.TagKeys)
}

func (s *Service) createTags(call *operation.Call, in *efs.CreateTagsInput) (*efs.CreateTagsOutput, error) {
	return &efs.CreateTagsOutput{}, s.retag(call, in.FileSystemId, in.Tags, nil)
}

func (s *Service) deleteTags(call *operation.Call, in *efs.DeleteTagsInput) (*efs.DeleteTagsOutput, error) {
	return &efs.DeleteTagsOutput{}, s.retag(call, in.FileSystemId, nil, in.TagKeys)
}

func (s *Service) listTags(call *operation.Call, in *efs.ListTagsForResourceInput) (*efs.ListTagsForResourceOutput, error) {
	out := &efs.ListTagsForResourceOutput{}
	return out, s.view(call, func(tx *state.Txn) error {
		tags, _, err := s.tagged(tx, call, in.ResourceId)
		if err != nil {
			return err
		}
		out.Tags, out.NextToken, err = page(call, short(in.ResourceId), in.MaxResults, in.NextToken, shownTags(tags),
			func(t types.Tag) string { return *t.Key })
		return err
	})
}

func (s *Service) describeTags(call *operation.Call, in *efs.DescribeTagsInput) (*efs.DescribeTagsOutput, error) {
	out := &efs.DescribeTagsOutput{Marker: in.Marker}
	return out, s.view(call, func(tx *state.Txn) error {
		tags, _, err := s.tagged(tx, call, in.FileSystemId)
		if err != nil {
			return err
		}
		out.Tags, out.NextMarker, err = page(call, short(in.FileSystemId), in.MaxItems, in.Marker, shownTags(tags),
			func(t types.Tag) string { return *t.Key })
		return err
	})
}
