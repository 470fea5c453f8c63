package kms

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

const mostTags = 50

// mergedTags are a key's tags with others added.
func mergedTags(tags map[string]string, added []types.Tag) (map[string]string, error) {
	merged, seen := maps.Clone(tags), map[string]bool{}
	if merged == nil {
		merged = map[string]string{}
	}
	for _, tag := range added {
		key := aws.ToString(tag.TagKey)
		switch {
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, badTag("Tag keys that begin with aws: are reserved for AWS's own use.")
		case seen[key]:
			return nil, badTag("The tag key %q is given twice.", key)
		}
		seen[key] = true
		merged[key] = aws.ToString(tag.TagValue)
	}
	if len(merged) > mostTags {
		return nil, badTag("A key has at most %d tags.", mostTags)
	}
	return merged, nil
}

func (s *Service) tagResource(call *operation.Call, in *kms.TagResourceInput) (*kms.TagResourceOutput, error) {
	return &kms.TagResourceOutput{},
		s.change(request{call: call, id: aws.ToString(in.KeyId), states: kept}, func(_ *state.Txn, key *Key) (err error) {
			key.Tags, err = mergedTags(key.Tags, in.Tags)
			return err
		})
}

func (s *Service) untagResource(call *operation.Call, in *kms.UntagResourceInput) (*kms.UntagResourceOutput, error) {
	return &kms.UntagResourceOutput{},
		s.change(request{call: call, id: aws.ToString(in.KeyId), states: kept}, func(_ *state.Txn, key *Key) error {
			maps.DeleteFunc(key.Tags, func(name, _ string) bool { return slices.Contains(in.TagKeys, name) })
			return nil
		})
}

func (s *Service) listResourceTags(call *operation.Call, in *kms.ListResourceTagsInput) (*kms.ListResourceTagsOutput,
	error) {
	var tags []types.Tag
	err := s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(_ *state.Txn, key Key) error {
		tags = nil
		for name, value := range key.Tags {
			tags = append(tags, types.Tag{TagKey: aws.String(name), TagValue: aws.String(value)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	part, next, err := page(call, aws.ToString(in.KeyId), in.Limit, in.Marker, mostTags, tags,
		func(t types.Tag) string { return *t.TagKey })
	return &kms.ListResourceTagsOutput{Tags: part, NextMarker: next, Truncated: next != nil}, err
}
