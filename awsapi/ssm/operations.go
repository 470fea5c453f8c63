package ssm

import (
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := &operation.JSONAPI{Name: Name, Actions: s.actions()}
	return operation.Service{
		Title: "Systems Manager", Name: Name, Protocol: wire.AWSJSON, APIs: []operation.API{api}, BodyLimit: 256 << 10,
		Errors: operation.Errors{Internal: "InternalServerError"},
		Documented: operation.DocumentBy(api.Names(), []operation.Clause{
			{Words: []string{"TagsToResource", "TagsFromResource", "ListTags"}, State: operation.Works, Effect: "of parameters"},
			{Words: []string{"Parameter"}, State: operation.Works,
				Effect: "AWS's public parameters of EKS's, Bottlerocket's, Windows' and Amazon Linux's images, and parameters of " +
					"users; SecureString is not encrypted, and parameter policies do nothing"},
		}),
	}
}

// actions are the operations that Tripod has, by name.
func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"AddTagsToResource":      operation.JSONOf(s.addTags),
		"DeleteParameter":        operation.JSONOf(s.deleteParameter),
		"DeleteParameters":       operation.JSONOf(s.deleteParameters),
		"DescribeParameters":     operation.JSONOf(s.describeParameters),
		"GetParameter":           operation.JSONOf(s.getParameter),
		"GetParameterHistory":    operation.JSONOf(s.getParameterHistory),
		"GetParameters":          operation.JSONOf(s.getParameters),
		"GetParametersByPath":    operation.JSONOf(s.getParametersByPath),
		"LabelParameterVersion":  operation.JSONOf(s.labelVersion),
		"ListTagsForResource":    operation.JSONOf(s.listTags),
		"PutParameter":           operation.JSONOf(s.putParameter),
		"RemoveTagsFromResource": operation.JSONOf(s.removeTags),
	}
}
