package fis

import (
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
)

//go:generate go run ../../internal/constraints -model $FIS_MODEL -sdk $FIS_SDK -package fis -out constraints_gen.go
//go:generate go run ../../internal/constraints -schemas -model $FIS_MODEL -package fis -out schemas_gen.go

// model is what FIS's model says of all inputs.
var model = operation.Model{Constraints: constraints, Refuse: func(_ string, _ *wire.Input, message string) error {
	return invalid("%s", message)
}}

// does is an operation that is answered by a method, which takes the SDK's input and gives the SDK's output.
func does[In, Out any](name string, handle func(*operation.Call, *In) (Out, error)) operation.RESTOperation {
	return operation.RESTOf(schemas.Operation(name), operation.TypedLowerBy(model, schemas.Input(name), handle))
}

// hasNot is an operation that Tripod does not have.
func hasNot(name string) operation.RESTOperation {
	return operation.RESTOf(schemas.Operation(name), nil)
}

func tagsOf(tags map[string]string) iam.Keys { return iam.TagKeys("aws:ResourceTag", tags) }

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "Fault Injection Service", Name: Name, Protocol: wire.RestJSON, APIs: []operation.API{s.API()},
		Documented: documented(), BodyLimit: 256 << 10, // 20 actions, each with its parameters
		Errors: operation.Errors{Internal: "InternalServerException"},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.RESTAPI {
	return &operation.RESTAPI{Name: Name, Operations: []operation.RESTOperation{
		does("CreateExperimentTemplate", s.createTemplate),
		does("DeleteExperimentTemplate", s.deleteTemplate),
		does("GetAction", s.getAction),
		does("GetExperiment", s.getExperiment),
		does("GetExperimentTemplate", s.getTemplate),
		does("GetSafetyLever", s.getLever),
		does("GetTargetResourceType", s.getResourceType),
		does("ListActions", s.listActions),
		does("ListExperimentResolvedTargets", s.listResolved),
		does("ListExperimentTemplates", s.listTemplates),
		does("ListExperiments", s.listExperiments),
		does("ListTagsForResource", s.listTags),
		does("ListTargetResourceTypes", s.listResourceTypes),
		does("StartExperiment", s.startExperiment),
		does("StopExperiment", s.stopExperiment),
		does("TagResource", s.tagResource),
		does("UntagResource", s.untagResource),
		does("UpdateExperimentTemplate", s.updateTemplate),
		does("UpdateSafetyLeverState", s.updateLever),
		hasNot("CreateTargetAccountConfiguration"),
		hasNot("DeleteTargetAccountConfiguration"),
		hasNot("GetExperimentTargetAccountConfiguration"),
		hasNot("GetTargetAccountConfiguration"),
		hasNot("ListExperimentTargetAccountConfigurations"),
		hasNot("ListTargetAccountConfigurations"),
		hasNot("UpdateTargetAccountConfiguration"),
	}}
}

// documented are the lines of docs/operations.md.
func documented() []operation.Documented {
	api := (&Service{}).API()
	var names []string
	for _, one := range api.Operations {
		names = append(names, one.Name)
	}
	return operation.DocumentBy(names, []operation.Clause{
		{Words: []string{"TargetAccountConfiguration"}, State: operation.Refused, Effect: "there is one account"},
		{Words: []string{"StartExperiment"}, State: operation.Works,
			Effect: "its actions happen to the region's instances, pods, zones and APIs, with its role's permissions on each of them " +
				"and EC2's own refusals; it goes on when the " +
				"zone that drives it is lost, and writes neither logs nor reports"},
		{Words: []string{"StopExperiment"}, State: operation.Works,
			Effect: "what its actions have done is taken back, as far as AWS does; 'tripod reset' stops all experiments"},
		{Words: []string{"CreateExperimentTemplate", "UpdateExperimentTemplate"}, State: operation.Works,
			Effect: "stop conditions are alarms of CloudWatch; actions that Tripod does not have are refused by name; logs and reports are " +
				"recorded"},
		{Words: []string{"Action", "ResourceType"}, State: operation.Works, Effect: "those that have their effect here"},
		{Words: []string{"SafetyLever"}, State: operation.Works, Effect: "engaged, it stops what runs and cancels what is started"},
		{Words: []string{""}, State: operation.Works, Effect: "as in AWS"},
	})
}
