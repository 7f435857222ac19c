#!/usr/bin/env bash
# The walk-through onto ECS as a careful person scripts it today: the same work as the release runbook.
# Usage: walkthrough_ecs.sh CONTEXT REPOSITORY LOCAL_NAME FAMILY SERVICE
set -euo pipefail
context=$1 repository=$2 local_name=$3 family=$4 service=$5 tag=custom-tag-1 cluster=demo

aws sts get-caller-identity --output text >/dev/null
uri=$(aws ecr describe-repositories --repository-names "$repository" --query 'repositories[0].repositoryUri' --output text 2>/dev/null) ||
    uri=$(aws ecr create-repository --repository-name "$repository" --query repository.repositoryUri --output text)
aws ecr get-login-password | docker login --username AWS --password-stdin "${uri%%/*}" >/dev/null 2>&1
docker build -q -f "$context/Dockerfile.wait" -t "$local_name" "$context" >/dev/null
docker tag "$local_name" "$uri:$tag"
docker push "$uri:$tag" >/dev/null
digest=$(aws ecr describe-images --repository-name "$repository" --image-ids imageTag=$tag --query 'imageDetails[0].imageDigest' --output text)

# An equal revision is used again: the image is all that changes here.
query='taskDefinition.[taskDefinitionArn, containerDefinitions[0].image]'
read -r definition image < <(aws ecs describe-task-definition --task-definition "$family" --query "$query" --output text 2>/dev/null) || true
if [ "${image:-}" != "$uri@$digest" ]; then
    document=$(sed "s|\"image\": \"[^\"]*\"|\"image\": \"$uri@$digest\"|" "$context/timeout.dockerrun.aws.json")
    definition=$(aws ecs register-task-definition --family "$family" --cli-input-json "$document" --query taskDefinition.taskDefinitionArn --output text)
fi
current=$(aws ecs describe-services --cluster $cluster --services "$service" --query 'services[0].taskDefinition' --output text)
if [ "$current" = None ]; then
    aws ecs create-service --cluster $cluster --service-name "$service" --task-definition "$definition" --desired-count 1 >/dev/null
elif [ "$current" != "$definition" ]; then
    aws ecs update-service --cluster $cluster --service "$service" --task-definition "$definition" >/dev/null
fi
aws ecs wait services-stable --cluster $cluster --services "$service"
tasks=$(aws ecs list-tasks --cluster $cluster --service-name "$service" --query taskArns --output text)
[ "$(aws ecs describe-tasks --cluster $cluster --tasks $tasks --query 'tasks[].containers[].imageDigest' --output text)" = "$digest" ]
