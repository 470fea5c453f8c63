package logs

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// definitionARN is what policies name query definitions by.
func (s *Service) definitionARN() string {
	return "arn:aws:logs:" + s.Region + ":" + s.AccountID + ":query-definition:*"
}

func (s *Service) putQueryDefinition(call *operation.Call,
	in *cloudwatchlogs.PutQueryDefinitionInput) (*cloudwatchlogs.PutQueryDefinitionOutput, error) {
	if err := authorize(call, s.definitionARN()); err != nil {
		return nil, err
	}
	made := definition{ID: aws.ToString(in.QueryDefinitionId), Name: aws.ToString(in.Name), Text: aws.ToString(in.QueryString),
		Groups: in.LogGroupNames, Language: string(in.QueryLanguage), Parameters: in.Parameters, ModifiedAt: s.now()}
	fresh := wire.NewRequestID()
	err := s.change(call, func(tx *state.Txn) error {
		if made.ID == "" {
			if len(definitions.List(tx)) >= mostDefinitions {
				return limitExceeded("Resource limit exceeded.")
			}
			made.ID = fresh
		} else if _, found := definitions.Get(tx, made.ID); !found {
			return notFound("The specified query definition does not exist.")
		}
		definitions.Put(tx, made.ID, made)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutQueryDefinitionOutput{QueryDefinitionId: &made.ID}, nil
}

func (s *Service) describeQueryDefinitions(call *operation.Call,
	in *cloudwatchlogs.DescribeQueryDefinitionsInput) (*cloudwatchlogs.DescribeQueryDefinitionsOutput, error) {
	if err := authorize(call, s.definitionARN()); err != nil {
		return nil, err
	}
	prefix, language := aws.ToString(in.QueryDefinitionNamePrefix), in.QueryLanguage
	var all []definition
	err := s.State.View(func(tx *state.Txn) error {
		all = slices.DeleteFunc(definitions.List(tx), func(d definition) bool {
			return !strings.HasPrefix(d.Name, prefix) || language != "" && language != d.language()
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	page, next, err := paged([]string{call.Operation, prefix, string(language)}, all,
		func(d definition) string { return d.Name + "\x00" + d.ID }, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeQueryDefinitionsOutput{QueryDefinitions: []types.QueryDefinition{}, NextToken: next}
	for _, d := range page {
		out.QueryDefinitions = append(out.QueryDefinitions, types.QueryDefinition{QueryDefinitionId: &d.ID, Name: &d.Name,
			QueryString: &d.Text, LogGroupNames: d.Groups, QueryLanguage: d.language(), Parameters: d.Parameters,
			LastModified: aws.Int64(d.ModifiedAt.UnixMilli())})
	}
	return out, nil
}

func (d definition) language() types.QueryLanguage {
	return cmp.Or(types.QueryLanguage(d.Language), types.QueryLanguageCwli)
}

func (s *Service) deleteQueryDefinition(call *operation.Call,
	in *cloudwatchlogs.DeleteQueryDefinitionInput) (*cloudwatchlogs.DeleteQueryDefinitionOutput, error) {
	if err := authorize(call, s.definitionARN()); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteQueryDefinitionOutput{Success: true}, s.change(call, func(tx *state.Txn) error {
		if _, found := definitions.Get(tx, aws.ToString(in.QueryDefinitionId)); !found {
			return notFound("The specified query definition does not exist.")
		}
		definitions.Delete(tx, *in.QueryDefinitionId)
		return nil
	})
}
